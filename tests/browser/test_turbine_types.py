"""A site with turbines of two types, a shadow model, and drift reports, as an operator sees it."""

import json
import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from gustbed_core import event_kinds
from gustbed_core.commands import Command
from tests.browser.conftest import SHADOW
from tests.browser.scripted_site import ScriptedSite
from tests.browser.scripted_turbines import UTILITY, UTILITY_CHANNELS
from tests.support.dashboard import Dashboard
from tests.support.ports import wait_until

pytestmark = pytest.mark.browser
expect.set_options(timeout=45_000)

OpenPage = Callable[..., Page]
NARROW = 390
UTILITY_SIGNALS = (*UTILITY_CHANNELS, "direction_error", "pitch_error", "tower_vibration")


def no_overflow(page: Page) -> None:
    assert (
        page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        <= 0
    )
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)


def test_one_site_shows_both_types_each_with_its_own_signals(
    mixed: ScriptedSite, open_page: OpenPage
) -> None:
    page = open_page(width=1280)

    big = page.locator(f'.gb-card[data-turbine="wt03"][data-type="{UTILITY}"]')
    expect(big).to_have_attribute("data-condition", "ok")
    expect(big).to_contain_text("NREL 5 MW")
    expect(big).to_contain_text("kW")
    expect(big).to_contain_text("Thermal")
    small = page.locator('.gb-card[data-turbine="wt01"]')
    expect(small).to_contain_text("Miniature")
    expect(small).not_to_contain_text("Thermal")
    expect(page.get_by_role("heading", name="NREL 5 MW")).to_be_visible()
    expect(page.locator('[data-cell="model"]')).to_contain_text("2 types")
    no_overflow(page)


def test_an_event_says_in_words_what_carries_it(mixed: ScriptedSite, open_page: OpenPage) -> None:
    page = open_page()
    expect(page.locator('.gb-card[data-turbine="wt03"]')).to_have_attribute("data-condition", "ok")

    mixed.violations["wt03"] = {event_kinds.THERMAL}

    line = "carried by gearbox bearing temperature, gearbox oil temperature"
    event = page.locator('.gb-event[data-turbine="wt03"][data-kind="thermal"][data-open="true"]')
    expect(event).to_contain_text(line)
    expect(page.locator('.gb-card[data-turbine="wt03"]')).to_contain_text(line)


def test_a_turbine_of_another_type_shows_all_signals_that_come_and_charts_by_family(
    mixed: ScriptedSite, open_page: OpenPage
) -> None:
    page = open_page("turbine?turbine=wt03", width=1280)

    expect(page.locator('.gb-title[data-turbine="wt03"]')).to_contain_text("NREL 5 MW")
    expect(page.locator(".gb-multiple")).to_have_count(len(UTILITY_SIGNALS))
    expect(page.locator('.gb-multiple[data-channel="voltage_l1"]')).to_contain_text("V")
    expect(page.locator('.gb-multiple[data-alarmed="true"]')).to_have_count(0)

    mixed.violations["wt03"] = {event_kinds.THERMAL}
    hot = page.locator('.gb-multiple[data-channel="gearbox_bearing_temperature"]')
    expect(hot).to_have_attribute("data-alarmed", "true")
    bar = page.locator('.gb-bar[data-feature="gearbox_bearing_temperature"]')
    expect(bar.locator(".gb-num.gb-alarm")).to_be_visible()

    page.get_by_text("Temperatures", exact=True).first.click()
    expect(page.locator(".gb-multiple")).to_have_count(0)
    for title in ("Gearbox temperatures", "Generator temperatures", "Other temperatures"):
        expect(page.get_by_role("heading", name=title)).to_be_visible()
    charts = page.locator('[data-testid="stVegaLiteChart"]')
    expect(charts).to_have_count(4)
    for lines in (2, 5, 6):
        drawn = charts.filter(has=page.locator(".mark-line path").nth(lines - 1))
        expect(drawn.first).to_be_visible()
    charts.nth(1).evaluate("element => { element.gustbedMark = true }")
    blocks = page.locator(".gb-facts")
    before = blocks.inner_text()
    expect(blocks).not_to_have_text(before)
    assert charts.nth(1).evaluate("element => element.gustbedMark"), "charts are not drawn anew"
    no_overflow(page)


def test_a_turbine_that_no_model_judges_says_so_and_shows_its_signals(
    mqtt_port: int, open_page: OpenPage
) -> None:
    with ScriptedSite(mqtt_port, ["wt09"], types={"wt09": UTILITY}) as site:
        site.without_model.add(UTILITY)
        page = open_page("turbine?turbine=wt09")

        title = page.locator('.gb-title[data-turbine="wt09"][data-condition="unknown"]')
        expect(title).to_contain_text("no model serves this type")
        expect(page.get_by_text("No model gives a verdict on this turbine")).to_be_visible()
        expect(page.locator(".gb-multiple")).to_have_count(len(UTILITY_SIGNALS))
        page.get_by_role("link", name="Models").click()
        serving = page.locator(f'.gb-serving[data-type="{UTILITY}"]')
        expect(serving).to_contain_text("No model")
        no_overflow(page)


def test_a_fault_form_says_what_it_does_to_the_type(
    mixed: ScriptedSite, open_page: OpenPage
) -> None:
    page = open_page("faults")
    page.get_by_role("button", name="wt03").click()
    expect(page.get_by_text("NREL 5 MW shows it in tower acceleration fore-aft")).to_be_visible()
    expect(page.get_by_role("button", name="wt03")).to_be_visible()
    page.get_by_role("button", name="Inject").click()

    wait_until(lambda: mixed.commands, "the command reaches the broker")
    turbine, command = mixed.commands[0]
    assert isinstance(command, Command)
    assert (turbine, command.kind) == ("wt03", event_kinds.VIBRATION)


def test_a_shadow_model_is_compared_in_counts_words_and_lines(
    mixed: ScriptedSite, open_page: OpenPage
) -> None:
    mixed.violations["wt03"] = {event_kinds.SENSOR}
    page = open_page("models", width=1280)

    panel = page.locator(f'[class*="st-key-panel-shadow-model-{UTILITY}"]')
    expect(panel).to_contain_text(f"Shadow model: NREL 5 MW{SHADOW.name} {SHADOW.version}")
    expect(panel.locator(".gb-plain")).to_contain_text("verdicts the two agree on")
    both = panel.locator('tr[data-agreement="both"] .gb-num').first
    expect(both).to_have_text(re.compile(r"[1-9]"))
    before = both.inner_text()
    expect(both).not_to_have_text(before)
    expect(panel.locator(".mark-line path")).to_have_count(2)
    expect(panel.get_by_text(f"Shadow model {SHADOW.version}", exact=False).first).to_be_visible()
    serving = page.locator(f'.gb-serving[data-type="{UTILITY}"]')
    expect(serving).to_contain_text("2.1.0")
    expect(serving).to_contain_text(f"shadow {SHADOW.version}")
    no_overflow(page)


def test_without_a_shadow_model_there_is_no_comparison(
    mixed: ScriptedSite, open_page: OpenPage
) -> None:
    page = open_page("models")
    expect(page.locator("[data-shadow-model]")).to_have_count(1)

    mixed.shadow_models.clear()

    expect(page.locator("[data-shadow-model]")).to_have_count(0)
    expect(page.locator(".gb-serving")).to_have_count(2)


@pytest.fixture
def report(dashboard: Dashboard) -> Iterator[dict[str, object]]:
    """A drift report lies where the command leaves it, until the test ends."""
    content: dict[str, object] = {
        "model": "nrel-5mw",
        "turbine_type": UTILITY,
        "t": time.time() - 600,
        "overall": "large",
        "features": [
            {"name": name, "psi": 0.6 - place / 20, "shift": 1.5, "level": "large"}
            for place, name in enumerate(UTILITY_CHANNELS[:12])
        ],
        "source": "lake of site-1 " + "and others " * 8,
    }
    path = dashboard.drift_folder / "nrel-5mw.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    yield content
    path.unlink()


def test_a_drift_report_appears_and_goes_by_itself(
    mixed: ScriptedSite, open_page: OpenPage, dashboard: Dashboard
) -> None:
    page = open_page("models")
    expect(page.get_by_text("No report yet: run")).to_be_visible()
    path = dashboard.drift_folder / "nrel-5mw.json"
    path.parent.mkdir(exist_ok=True)
    features = [{"name": "wind_speed", "psi": 0.31, "shift": -1.2, "level": "large"}]
    content = {"model": "nrel-5mw", "turbine_type": UTILITY, "t": time.time(), "overall": "large"}
    path.write_text(json.dumps(content | {"features": features, "source": "lake"}))
    try:
        found = page.locator('[data-drift="nrel-5mw"][data-level="large"]')
        expect(found).to_contain_text("Large drift")
        expect(found.locator('[data-feature="wind_speed"]')).to_contain_text("PSI 0.31")
        path.write_text("{}")
        expect(page.locator(".gb-banner", has_text="nrel-5mw.json")).to_be_visible()
    finally:
        path.unlink()
    expect(page.get_by_text("No report yet: run")).to_be_visible()


@pytest.mark.parametrize("width", [1280, NARROW])
@pytest.mark.parametrize("address", ["", "turbine?turbine=wt03", "models", "faults"])
def test_long_names_and_many_signals_fit(
    address: str,
    width: int,
    mixed: ScriptedSite,
    report: dict[str, object],
    open_page: OpenPage,
) -> None:
    mixed.violations["wt03"] = set(event_kinds.KNOWN)
    page = open_page(address, width=width)
    seen = {
        "": ".gb-card .gb-carried",
        "turbine?turbine=wt03": '.gb-multiple[data-alarmed="true"]',
        "models": "[data-shadow-model]",
        "faults": ".gb-section",
    }
    expect(page.locator(seen[address]).first).to_be_visible()

    no_overflow(page)
