"""The operator's view of a real fleet, in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from gustbed_core.telemetry import MINI
from tests.support.chromium import visit
from tests.support.fleet import RunningFleet
from tests.support.ports import wait_until


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    yield opened
    opened.close()


@pytest.mark.browser
def test_a_fault_shows_on_the_fleet_page_and_goes_away_without_a_reload(
    fleet: RunningFleet, page: Page
) -> None:
    wait_until(lambda: fleet.turbines()["wt06"]["state"] == "ok", "wt06 is ok", 60)
    visit(page, fleet.dashboard_url)
    card = page.locator('.gb-card[data-turbine="wt06"]')
    expect(card).to_contain_text("Normal", timeout=30_000)
    page.evaluate("window.sameDocument = true")
    fleet.cli("fault", "inject", "wt06", "voltage", "--severity", "0.9")
    expect(card).to_contain_text("Anomaly", timeout=30_000)
    fleet.cli("fault", "clear", "wt06")
    expect(card).to_contain_text("Normal", timeout=60_000)
    assert page.evaluate("window.sameDocument") is True


@pytest.mark.browser
def test_the_models_that_came_with_the_edge_show_their_figures_and_cards(
    fleet: RunningFleet, page: Page
) -> None:
    visit(page, f"{fleet.dashboard_url}/models")
    for kind in (MINI, "nrel_5mw"):
        serving = page.locator(f'.gb-serving[data-type="{kind}"]')
        expect(serving.locator('[data-figure="vus_pr"]')).to_be_visible(timeout=30_000)
    card = page.locator('[class*="st-key-serving-site-1-mini"]')
    card.get_by_text("Model card of windturbine").click()
    expect(card.get_by_role("heading", name="windturbine 1.0.0")).to_be_visible(timeout=30_000)
