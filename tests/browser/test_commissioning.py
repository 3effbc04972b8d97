"""A turbine is commissioned from its page, and the fleet page says who is not."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from gustbed_core.commissioning.messages import CommissioningState
from tests.browser.scripted_site import ScriptedSite
from tests.support.ports import wait_until

pytestmark = pytest.mark.browser
expect.set_options(timeout=45_000)

OpenPage = Callable[..., Page]
PANEL = '.gb-commissioning[data-commissioning="wt02"]'


def test_the_fleet_page_says_who_is_not_commissioned(
    scripted_site: ScriptedSite, open_page: OpenPage
) -> None:
    scripted_site.commissioning["wt01"] = CommissioningState("own", "c1.0123abcd")
    scripted_site.commissioning["wt02"] = CommissioningState("prior")
    page = open_page()
    badge = '[data-commissioning="none"]'
    expect(page.locator(f'.gb-card[data-turbine="wt02"] {badge}')).to_be_visible()
    expect(page.locator(badge)).to_have_count(1)


def test_a_period_is_started_and_followed_on_the_turbines_page(
    scripted_site: ScriptedSite, open_page: OpenPage
) -> None:
    scripted_site.commissioning["wt02"] = CommissioningState("prior")
    page = open_page("turbine?turbine=wt02")
    expect(page.locator(PANEL)).to_contain_text("Not commissioned")
    page.get_by_role("button", name="Commission").click()
    page.get_by_role("button", name="Start", exact=True).click()

    wait_until(lambda: scripted_site.asked, "the command reaches the broker")
    command = scripted_site.asked[0]
    assert (command.action, command.turbines, command.hours) == ("start", ["wt02"], 24.0)
    expect(page.locator(f"{PANEL} .gb-progress")).to_have_attribute("aria-valuenow", "42")

    scripted_site.commissioning["wt02"] = CommissioningState("own", "c1.0123abcd")
    expect(page.locator(PANEL)).to_contain_text("c1.0123abcd")


def test_the_edges_refusal_is_shown_with_its_remedy(
    scripted_site: ScriptedSite, open_page: OpenPage
) -> None:
    scripted_site.commissioning["wt02"] = CommissioningState("factory")
    scripted_site.refuse = "an event is open: voltage"
    page = open_page("turbine?turbine=wt02")
    page.get_by_role("button", name="Commission").click()
    page.get_by_role("button", name="Undo", exact=True).click()

    expect(page.locator(PANEL)).to_contain_text("an event is open: voltage: mend it")
