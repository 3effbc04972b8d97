"""The models page on a real local cloud: cards, approvals, shadow models, rollouts, an outage."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from gustbed_cloud import operations
from tests.support.chromium import visit
from tests.support.cloud import Device, Identity, LocalCloud, enrolled, local_cloud
from tests.support.dashboard import start_dashboard
from tests.support.packages import tiny_package, write_passed
from tests.support.ports import wait_until

pytestmark = pytest.mark.browser
THING = "gustbed-site-1"
PATIENCE = 60_000
CARD = """# tiny {version}

Finds *nothing* much.

| fault | found |
| --- | ---: |
| overheating | 3 |

- Delay: median 2.4 s, 90 % within 4.0 s.

![far away](http://127.0.0.1:9/tracker.png) <script>window.gustbedHacked = 1</script>
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="module")
def edge(cloud: LocalCloud) -> Identity:
    """An edge with versions to wait for, one despite its quality gate."""
    identity = enrolled(cloud, THING)
    client = cloud.connect()
    for version in ("1.1.0", "1.2.0", "1.3.0"):
        path = cloud.folder / f"{version}.tar.gz"
        package = tiny_package(version, metrics={"vus_pr": 0.8125, "care": 0.75})
        write_passed(replace(package, card=CARD.format(version=version)), path)
        operations.register_model(client, path)
    path = cloud.folder / "1.4.0.tar.gz"
    failed = {"gate": "worse than pca"}
    write_passed(tiny_package("1.4.0", training=failed), path)
    operations.register_model(client, path, gate_override="a trial of new sensors")
    return identity


@pytest.fixture
def page(
    browser: Browser, mqtt_port: int, cloud: LocalCloud, edge: Identity, tmp_path: Path
) -> Iterator[Page]:
    dashboard = start_dashboard(tmp_path, mqtt_port, cloud=cloud.environment)
    try:
        wait_until(lambda: dashboard.health() == 0, "the dashboard is healthy", timeout=90)
        window = browser.new_page()
        visit(window, f"{dashboard.url}/models")
        yield window
        window.close()
    finally:
        dashboard.process.terminate()
        dashboard.process.wait(30)


def row(page: Page, version: str) -> Locator:
    return page.locator(f'[class*="st-key-panel-model-tiny-{version.replace(".", "-")}"]')


def role_of(cloud: LocalCloud, version: str) -> str | None:
    known = {m.version: m.role for m in operations.list_models(cloud.connect())}
    return known[version]


def approval(page: Page, version: str) -> Locator:
    return page.locator(f'[data-model="{version}"]')


def fail_the_job(edge: Identity, reason: str) -> None:
    """Take the job as an edge does, and refuse the model."""
    base = f"$aws/things/{edge.thing}/jobs"
    with Device(edge) as device:
        device.subscribe(f"{base}/start-next/accepted")
        device.publish(f"{base}/start-next", {})
        _, payload = device.received.get(timeout=30)
        job = json.loads(payload)["execution"]["jobId"]
        device.subscribe(f"{base}/{job}/update/accepted")
        answer = {"status": "FAILED", "statusDetails": {"reason": reason}}
        device.publish(f"{base}/{job}/update", answer)
        device.received.get(timeout=30)


def test_a_version_is_approved_after_a_question_and_its_rollout_followed_to_the_reason(
    page: Page, cloud: LocalCloud, edge: Identity
) -> None:
    waiting = approval(page, "1.1.0")
    expect(waiting).to_have_attribute("data-approval", "PendingManualApproval", timeout=PATIENCE)
    row(page, "1.1.0").get_by_role("button", name="Approve as serving").click()
    expect(row(page, "1.1.0").locator("[data-confirm]")).to_contain_text("every edge?")
    known = {m.version: m.status for m in operations.list_models(cloud.connect())}
    assert known["1.1.0"] == "PendingManualApproval"
    row(page, "1.1.0").get_by_role("button", name="Yes").click()

    expect(waiting).to_have_attribute("data-approval", "Approved", timeout=PATIENCE)
    execution = page.locator(f'.gb-execution[data-thing="{THING}"]')
    expect(execution).to_have_attribute("data-status", "QUEUED", timeout=PATIENCE)

    fail_the_job(edge, "golden_mismatch: the model does not reproduce its vectors")
    expect(execution).to_have_attribute("data-status", "FAILED", timeout=PATIENCE)
    expect(execution).to_contain_text("golden_mismatch")
    expect(page.locator(".gb-job", has_text="tiny 1.1.0")).to_contain_text("1 failed")


def test_a_versions_card_is_shown_with_its_figures_and_nothing_in_it_is_believed(
    page: Page,
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    version = row(page, "1.2.0")
    expect(version).to_be_visible(timeout=PATIENCE)
    version.get_by_text("Model card").click()

    expect(version.get_by_role("heading", name="tiny 1.2.0")).to_be_visible(timeout=PATIENCE)
    expect(version.locator("table td", has_text="overheating")).to_be_visible()
    figures = {"vus_pr": "0.812", "care": "0.75", "median_delay_s": "2.4"}
    for key, value in figures.items():
        expect(version.locator(f'.gb-figure[data-figure="{key}"]')).to_contain_text(value)
    expect(version.locator(".gb-figure")).to_have_count(len(figures))
    assert version.locator("img").count() == 0
    assert not [url for url in asked if "tracker.png" in url]
    assert page.evaluate("window.gustbedHacked === undefined")
    expect(row(page, "1.1.0").locator(".gb-figure")).to_have_count(0)


def test_a_version_that_failed_its_gate_says_so_before_anyone_approves_it(page: Page) -> None:
    gate = row(page, "1.4.0").locator("[data-gate]")

    expect(gate).to_contain_text("a trial of new sensors", timeout=PATIENCE)
    expect(row(page, "1.3.0").locator("[data-gate]")).to_have_count(0)


def test_a_shadow_model_is_approved_followed_and_promoted(page: Page, cloud: LocalCloud) -> None:
    version = row(page, "1.3.0")
    expect(version).to_be_visible(timeout=PATIENCE)
    version.get_by_role("button", name="Approve as shadow model").click()
    expect(version.locator("[data-confirm]")).to_contain_text("beside the serving model")
    version.get_by_role("button", name="Yes").click()

    expect(version).to_contain_text("Approved as shadow model", timeout=PATIENCE)
    job = page.locator(".gb-job", has_text="tiny 1.3.0")
    expect(job.locator(".gb-chip")).to_have_text("shadow", timeout=PATIENCE)
    assert role_of(cloud, "1.3.0") == "shadow"

    version.get_by_role("button", name="Promote to serving").click()
    expect(version.locator("[data-confirm]")).to_contain_text("take over")
    version.get_by_role("button", name="Yes").click()

    expect(version).not_to_contain_text("shadow", timeout=PATIENCE)
    expect(version).to_contain_text("Approved")
    expect(job).to_have_count(2, timeout=PATIENCE)
    assert role_of(cloud, "1.3.0") == "serve"


def test_saying_no_changes_nothing_and_a_rejection_is_kept(page: Page, cloud: LocalCloud) -> None:
    expect(approval(page, "1.2.0")).to_be_visible(timeout=PATIENCE)
    row(page, "1.2.0").get_by_role("button", name="Reject").click()
    row(page, "1.2.0").get_by_role("button", name="No", exact=True).click()
    expect(row(page, "1.2.0").get_by_role("button", name="Reject")).to_be_visible()
    assert approval(page, "1.2.0").get_attribute("data-approval") == "PendingManualApproval"

    row(page, "1.2.0").get_by_role("button", name="Reject").click()
    row(page, "1.2.0").get_by_role("button", name="Yes").click()
    expect(approval(page, "1.2.0")).to_have_attribute("data-approval", "Rejected", timeout=PATIENCE)
    known = {m.version: m.status for m in operations.list_models(cloud.connect())}
    assert known["1.2.0"] == "Rejected"


def test_what_is_known_stays_while_the_cloud_is_down_and_it_recovers_by_itself(
    page: Page, cloud: LocalCloud
) -> None:
    expect(approval(page, "1.1.0")).to_be_visible(timeout=PATIENCE)
    cloud.stop()
    expect(page.locator(".gb-banner")).to_contain_text("AWS is not reachable", timeout=PATIENCE)
    expect(approval(page, "1.1.0")).to_be_visible()
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)

    cloud.start_emulator()
    cloud.start_registry()
    expect(page.locator(".gb-banner")).to_have_count(0, timeout=PATIENCE)
