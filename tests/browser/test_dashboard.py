"""The dashboard as an operator sees it, on a real broker with a scripted site behind it."""

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from gustbed_core import event_kinds, topics
from gustbed_core.commands import Command
from tests.browser.conftest import TURBINES
from tests.browser.scripted_site import ScriptedSite
from tests.support.dashboard import Dashboard
from tests.support.ports import wait_until

pytestmark = pytest.mark.browser
expect.set_options(timeout=45_000)

OpenPage = Callable[..., Page]
MARK = "window.gustbedMark = 'the same document'"
MARKED = "window.gustbedMark === 'the same document'"


def card(page: Page, turbine: str, condition: str | None = None) -> Locator:
    suffix = f'[data-condition="{condition}"]' if condition else ""
    return page.locator(f'.gb-card[data-turbine="{turbine}"]{suffix}')


def no_traceback(page: Page) -> None:
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)
    assert "Traceback" not in page.inner_text("body")


def test_the_fleet_page_shows_every_turbine_with_its_state_in_words(
    scripted_site: ScriptedSite, open_page: OpenPage
) -> None:
    page = open_page()

    for turbine in TURBINES:
        expect(card(page, turbine, "ok")).to_contain_text("Normal")
        expect(card(page, turbine).locator(".gb-line").first).to_be_visible()
    expect(page.locator('[data-cell="edge"]')).to_contain_text("Online")
    expect(page.locator('[data-cell="cloud"]')).to_contain_text("Connected")
    expect(page.locator('[data-cell="model"]')).to_contain_text("1.0.0")
    no_traceback(page)


@pytest.mark.parametrize("address", ["", "fleet", "turbine", "models", "faults"])
def test_every_address_that_is_named_is_a_page(
    address: str, scripted_site: ScriptedSite, open_page: OpenPage
) -> None:
    page = open_page(address)

    expect(page.locator(".gb-strip, .gb-section, .gb-title").first).to_be_visible()
    expect(page.get_by_text("Page not found")).to_have_count(0)
    no_traceback(page)


def test_an_event_leads_to_its_turbine(scripted_site: ScriptedSite, open_page: OpenPage) -> None:
    scripted_site.violations["wt02"] = {event_kinds.ROTATION}
    page = open_page()
    event = page.locator('.gb-event[data-turbine="wt02"][data-open="true"]').first
    expect(event).to_contain_text(re.compile(r"\d{1,2} \w{3} \d{4}, \d\d:\d\d:\d\d \w+"))
    event.click()

    expect(page.locator('.gb-title[data-turbine="wt02"]')).to_be_visible()


def test_an_alarm_outlives_its_edge_as_last_known(mqtt_port: int, open_page: OpenPage) -> None:
    with ScriptedSite(mqtt_port, TURBINES) as site:
        site.violations["wt02"] = {event_kinds.VIBRATION}
        page = open_page()
        expect(card(page, "wt02", "anomaly")).to_be_visible()
    expect(page.locator('[data-cell="edge"]')).to_contain_text("Not heard")

    expect(card(page, "wt02", "anomaly").locator(".gb-note")).to_contain_text("last known")
    expect(page.locator('[data-cell="turbines"]')).to_contain_text("last known")


def test_a_violation_appears_and_disappears_without_a_reload(
    scripted_site: ScriptedSite, open_page: OpenPage
) -> None:
    page = open_page()
    expect(card(page, "wt02", "ok")).to_be_visible()
    page.evaluate(MARK)

    scripted_site.violations["wt02"] = {event_kinds.ROTATION}
    expect(card(page, "wt02", "anomaly")).to_contain_text("Anomaly")
    expect(card(page, "wt02").locator('[data-violation="rotation"]')).to_be_visible()
    opened = page.locator('.gb-event[data-turbine="wt02"][data-kind="rotation"]')
    expect(opened.first).to_have_attribute("data-open", "true")
    expect(opened.first).to_contain_text("carried by wind, rotor")
    expect(card(page, "wt02")).to_contain_text("carried by wind, rotor")
    expect(card(page, "wt01", "ok")).to_be_visible()

    scripted_site.violations["wt02"] = set()
    expect(card(page, "wt02", "ok")).to_contain_text("Normal")
    expect(opened.first).to_have_attribute("data-open", "false")
    assert page.evaluate(MARKED)


def test_updates_keep_the_elements_so_that_nothing_flickers(
    scripted_site: ScriptedSite, open_page: OpenPage
) -> None:
    page = open_page()
    expect(card(page, "wt01", "ok")).to_be_visible()
    page.evaluate("document.querySelector('.gb-card').gustbedMark = true")
    blocks = page.locator(".gb-card .gb-foot").first
    before = blocks.inner_text()

    expect(blocks).not_to_have_text(before)

    assert page.evaluate("document.querySelector('.gb-card').gustbedMark === true")


def test_injecting_on_the_faults_page_publishes_the_command_and_shows_the_answer(
    scripted_site: ScriptedSite, open_page: OpenPage
) -> None:
    page = open_page("faults")
    page.get_by_role("button", name="wt03").click()
    page.get_by_text("Voltage", exact=True).click()
    page.get_by_role("button", name="Inject").click()

    wait_until(lambda: scripted_site.commands, "the command reaches the broker")
    turbine, command = scripted_site.commands[0]
    assert isinstance(command, Command)
    assert turbine == "wt03"
    assert (command.action, command.kind) == ("inject", event_kinds.VOLTAGE)
    assert (command.severity, command.ramp) == (0.8, 2.0)
    row = page.locator(f'tr[data-command="{command.id}"]')
    expect(row).to_have_attribute("data-outcome", "accepted")
    expect(page.locator('tr[data-fault="wt03"]')).to_contain_text("Voltage")

    page.get_by_role("button", name="Clear all faults").click()
    expect(page.locator('tr[data-fault="wt03"]')).to_have_count(0)
    _, clear = scripted_site.commands[1]
    assert isinstance(clear, Command)
    assert (clear.action, clear.kind) == ("clear", None)


def test_a_refused_fault_says_why(scripted_site: ScriptedSite, open_page: OpenPage) -> None:
    scripted_site.refuse = "<b>no such fault</b>"
    page = open_page("faults")
    page.get_by_role("button", name="wt01").click()
    page.get_by_role("button", name="Inject").click()

    wait_until(lambda: scripted_site.commands, "the command reaches the broker")
    _, command = scripted_site.commands[0]
    assert isinstance(command, Command)
    row = page.locator(f'tr[data-command="{command.id}"]')
    expect(row).to_have_attribute("data-outcome", "refused")
    expect(row).to_contain_text("<b>no such fault</b>")


def test_the_turbine_page_draws_its_signals_and_follows_a_card(
    scripted_site: ScriptedSite, open_page: OpenPage
) -> None:
    scripted_site.violations["wt03"] = {event_kinds.VIBRATION}
    page = open_page()
    expect(card(page, "wt03", "anomaly")).to_be_visible()
    page.evaluate(MARK)
    page.get_by_role("link", name="Open wt03").click()

    expect(page.locator('.gb-title[data-turbine="wt03"]')).to_have_attribute(
        "data-condition", "anomaly"
    )
    charts = page.locator('[data-testid="stVegaLiteChart"]')
    expect(charts).to_have_count(7)
    for title in ("Wind", "Rotor", "Voltage", "Temperatures", "Roll, pitch, yaw", "Vibration"):
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    # Scores, then column by column: wind, voltage, attitude; rotor, temperatures, vibration.
    for place, lines in enumerate((6, 1, 1, 3, 1, 2, 1)):
        expect(charts.nth(place).locator(".mark-line path")).to_have_count(lines)
    roll = page.locator('.gb-bar[data-feature="roll"] .gb-alarm')
    expect(roll).to_be_visible()
    expect(page.locator('.gb-event[data-turbine="wt03"]').first).to_be_visible()
    page.evaluate("document.querySelector('[data-testid=stVegaLiteChart]').gustbedMark = true")
    facts = page.locator(".gb-facts")
    before = facts.inner_text()
    expect(facts).not_to_have_text(before)
    assert page.evaluate("document.querySelector('[data-testid=stVegaLiteChart]').gustbedMark")
    assert page.evaluate(MARKED), "a card leads to its turbine without a reload"
    no_traceback(page)


def test_a_fault_can_be_injected_beside_the_turbine(
    scripted_site: ScriptedSite, open_page: OpenPage
) -> None:
    page = open_page("turbine?turbine=wt02")
    expect(page.locator('.gb-title[data-turbine="wt02"]')).to_be_visible()
    page.get_by_role("button", name="Inject a fault").click()
    page.get_by_role("button", name="Inject", exact=True).click()

    wait_until(lambda: scripted_site.commands, "the command reaches the broker")
    assert scripted_site.commands[0][0] == "wt02"
    expect(page.locator('.gb-title[data-condition="anomaly"]')).to_be_visible()


def test_a_cloud_that_is_down_is_one_line_on_the_models_page(
    scripted_site: ScriptedSite, open_page: OpenPage
) -> None:
    page = open_page("models")

    expect(page.locator(".gb-banner")).to_contain_text("AWS is not reachable")
    expect(page.get_by_text("The registry cannot be read now")).to_be_visible()
    expect(page.locator(".gb-version").first).to_have_text("1.0.0")
    no_traceback(page)


def test_an_edge_that_goes_is_told_and_recovers_by_itself(
    mqtt_port: int, open_page: OpenPage
) -> None:
    with ScriptedSite(mqtt_port, TURBINES):
        page = open_page()
        expect(card(page, "wt01", "ok")).to_be_visible()
        page.evaluate(MARK)
    expect(page.locator(".gb-banner")).to_contain_text("Waiting for the edge")
    expect(page.locator('[data-cell="edge"]')).to_contain_text("Not heard")
    no_traceback(page)

    with ScriptedSite(mqtt_port, TURBINES):
        expect(card(page, "wt01", "ok")).to_be_visible()
        expect(page.locator(".gb-banner")).to_have_count(0)
    assert page.evaluate(MARKED)


def test_markup_from_the_network_is_shown_as_text(
    scripted_site: ScriptedSite, open_page: OpenPage
) -> None:
    page = open_page()
    expect(card(page, "wt01", "ok")).to_be_visible()
    event = {
        "id": "<img src=x onerror=window.gustbedHacked=1>",
        "site": scripted_site.site,
        "thing": "t",
        "turbine": "wt01",
        "kind": "voltage",
        "opened": 4e9,
        "closed": None,
        "peak_score": 9.0,
        "model": {"name": "m", "version": "<img src=x onerror=window.gustbedHacked=1>"},
        "change": "opened",
    }
    scripted_site.publish_raw(topics.event(scripted_site.site, "wt01"), json.dumps(event).encode())

    shown = page.locator(".gb-event", has_text="<img src=x")
    expect(shown).to_be_visible()
    assert page.locator(".gb-event img").count() == 0
    assert page.evaluate("window.gustbedHacked === undefined")
    scripted_site.publish_raw(
        topics.event(scripted_site.site, "wt01"), json.dumps({**event, "closed": 4e9 + 1}).encode()
    )
    expect(shown).to_have_attribute("data-open", "false")


@pytest.mark.parametrize("address", ["", "turbine?turbine=wt01", "models", "faults"])
def test_pages_fit_a_narrow_screen(
    address: str, scripted_site: ScriptedSite, open_page: OpenPage
) -> None:
    page = open_page(address, width=480)
    expect(page.locator(".gb-strip, .gb-section, .gb-title").first).to_be_visible()

    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
    no_traceback(page)


def test_health_answers(dashboard: Dashboard) -> None:
    assert dashboard.health() == 0
