"""The models page on a real local cloud: approve, reject, follow a rollout, outlive an outage."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from gustbed_cloud import operations
from gustbed_protocol.package import write_package
from tests.browser.conftest import start_dashboard
from tests.support.chromium import visit
from tests.support.cloud import Device, Identity, LocalCloud, enrolled, local_cloud
from tests.support.packages import tiny_package
from tests.support.ports import wait_until

pytestmark = pytest.mark.browser
THING = "gustbed-site-1"
PATIENCE = 60_000


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="module")
def edge(cloud: LocalCloud) -> Identity:
    """An edge with two versions to wait for."""
    identity = enrolled(cloud, THING)
    client = cloud.connect()
    for version in ("1.1.0", "1.2.0"):
        path = cloud.folder / f"{version}.tar.gz"
        write_package(tiny_package(version), path)
        operations.register_model(client, path)
    return identity


@pytest.fixture
def page(
    browser: Browser, mqtt_port: int, cloud: LocalCloud, edge: Identity, tmp_path: Path
) -> Iterator[Page]:
    dashboard = start_dashboard(tmp_path, mqtt_port, cloud.environment)
    try:
        wait_until(lambda: dashboard.health() == 0, "the dashboard is healthy", timeout=90)
        window = browser.new_page()
        visit(window, f"{dashboard.url}/models")
        yield window
        window.close()
    finally:
        dashboard.process.terminate()
        dashboard.process.wait(10)


def row(page: Page, version: str) -> Locator:
    return page.locator(f'[class*="st-key-panel-model-tiny-{version.replace(".", "-")}"]')


def approval(page: Page, version: str) -> Locator:
    return page.locator(f'[data-model="{version}"]')


def fail_the_job(edge: Identity, reason: str) -> None:
    """Take the job as an edge does, and refuse the model."""
    base = f"$aws/things/{edge.thing}/jobs"
    with Device(edge) as device:
        device.subscribe(f"{base}/start-next/accepted")
        device.publish(f"{base}/start-next", {})
        _, payload = device.received.get(timeout=10)
        job = json.loads(payload)["execution"]["jobId"]
        device.subscribe(f"{base}/{job}/update/accepted")
        answer = {"status": "FAILED", "statusDetails": {"reason": reason}}
        device.publish(f"{base}/{job}/update", answer)
        device.received.get(timeout=10)


def test_a_version_is_approved_after_a_question_and_its_rollout_followed_to_the_reason(
    page: Page, cloud: LocalCloud, edge: Identity
) -> None:
    waiting = approval(page, "1.1.0")
    expect(waiting).to_have_attribute("data-approval", "PendingManualApproval", timeout=PATIENCE)
    row(page, "1.1.0").get_by_role("button", name="Approve").click()
    expect(row(page, "1.1.0").locator("[data-confirm]")).to_contain_text("every edge?")
    assert {m.status for m in operations.list_models(cloud.connect())} == {"PendingManualApproval"}
    row(page, "1.1.0").get_by_role("button", name="Yes").click()

    expect(waiting).to_have_attribute("data-approval", "Approved", timeout=PATIENCE)
    execution = page.locator(f'.gb-execution[data-thing="{THING}"]')
    expect(execution).to_have_attribute("data-status", "QUEUED", timeout=PATIENCE)

    fail_the_job(edge, "golden_mismatch: the model does not reproduce its vectors")
    expect(execution).to_have_attribute("data-status", "FAILED", timeout=PATIENCE)
    expect(execution).to_contain_text("golden_mismatch")
    expect(page.locator(".gb-job")).to_contain_text("1 failed")


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
