"""Several sites on one dashboard, each with a broker of its own and turbines of the same names."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from gustbed_core import event_kinds
from gustbed_core.commands import Command
from gustbed_core.site_directory import FILE, SiteEntry, remove_site, write_site
from tests.browser.conftest import TURBINES
from tests.browser.scripted_site import ScriptedSite
from tests.browser.scripted_turbines import UTILITY
from tests.support.chromium import visit
from tests.support.dashboard import Dashboard, start_dashboard
from tests.support.mosquitto import mosquitto
from tests.support.ports import free_port, wait_until

pytestmark = pytest.mark.browser
expect.set_options(timeout=45_000)

OpenPage = Callable[..., Page]


@dataclass(frozen=True)
class Fleet:
    """Two sites: of the second the last turbine is of another type, and wt02 vibrates."""

    dashboard: Dashboard
    directory: Path
    first: ScriptedSite
    second: ScriptedSite


@contextmanager
def started(folder: Path, directory: Path) -> Iterator[Dashboard]:
    """A dashboard on a directory of sites; no broker is where its environment says."""
    variables = {"GUSTBED_DASHBOARD_SITES_DIR": str(directory)}
    running = start_dashboard(folder, free_port(), variables=variables)
    try:
        wait_until(lambda: running.health() == 0, "the dashboard is healthy", timeout=90)
        yield running
    finally:
        running.stop()


def join(directory: Path, site: str, port: int) -> None:
    """Make a site known."""
    entry = SiteEntry(
        site=site,
        turbines=len(TURBINES),
        host="127.0.0.1",
        tools_port=port,
        edge_url=f"http://127.0.0.1:{free_port()}",
    )
    write_site(directory, entry, "anonymous brokers heed none", None)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """A broker for each site."""
    with ExitStack() as brokers:
        yield tuple(  # type: ignore[misc]
            brokers.enter_context(
                mosquitto(tmp_path_factory.mktemp("broker"), anonymous=True)
            ).settings.port
            for _ in range(2)
        )


@pytest.fixture(scope="module")
def fleet(
    browser: Browser, ports: tuple[int, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("dashboard")
    directory = folder / "sites"
    for site, port in zip(("site-1", "site-2"), ports, strict=True):
        join(directory, site, port)
    with (
        started(folder, directory) as dashboard,
        ScriptedSite(ports[0], TURBINES) as first,
        ScriptedSite(ports[1], TURBINES, "site-2", {TURBINES[-1]: UTILITY}) as second,
    ):
        second.violations["wt02"] = {event_kinds.VIBRATION}
        yield Fleet(dashboard, directory, first, second)


@pytest.fixture
def open_site(browser: Browser, fleet: Fleet) -> Iterator[OpenPage]:
    """Open an address of the fleet's dashboard."""
    contexts = []

    def go(address: str = "", width: int = 1440) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(45_000)
        visit(page, f"{fleet.dashboard.url}/{address}")
        return page

    yield go
    for context in contexts:
        context.close()


def option(page: Page, site: str) -> Locator:
    return page.get_by_role("radiogroup", name="Site").get_by_role("radio", name=site)


def card(page: Page, turbine: str, condition: str) -> Locator:
    return page.locator(f'.gb-card[data-turbine="{turbine}"][data-condition="{condition}"]')


def go_to(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).first.click()


def test_every_page_shows_the_chosen_site_and_the_address_keeps_it(
    fleet: Fleet, open_site: OpenPage
) -> None:
    page = open_site()
    expect(option(page, "site-1")).to_be_checked()
    expect(card(page, "wt02", "ok")).to_be_visible()
    expect(page.locator('[data-cell="edge"]')).to_contain_text("gustbed-site-1")
    expect(page.locator(".gb-event")).to_have_count(0)

    option(page, "site-2").click()
    expect(card(page, "wt02", "anomaly")).to_be_visible()
    expect(page.locator('[data-cell="edge"]')).to_contain_text("gustbed-site-2")
    expect(page.locator('.gb-event[data-turbine="wt02"]')).to_have_count(1)
    expect(page.locator(f'.gb-card[data-type="{UTILITY}"]')).to_have_count(1)
    assert page.url.endswith("/?site=site-2")

    page.get_by_role("link", name="Open wt03").click()
    expect(page.locator('.gb-title[data-turbine="wt03"]')).to_contain_text("NREL 5 MW")
    assert "site=site-2" in page.url
    # The other site has a turbine of that name, too.
    option(page, "site-1").click()
    expect(page.locator('.gb-title[data-turbine="wt03"]')).to_contain_text("Miniature")
    expect(page.locator(".gb-title")).not_to_contain_text("NREL 5 MW")
    option(page, "site-2").click()
    go_to(page, "Models")
    expect(page.locator(f'.gb-serving[data-type="{UTILITY}"]')).to_contain_text("gustbed-site-2")
    expect(page.locator('tr[data-site="site-1"]')).to_contain_text("1.0.0")
    expect(page.locator('tr[data-site="site-2"]')).to_contain_text("2.1.0")
    assert page.url.endswith("/models?site=site-2")

    page.reload()
    expect(option(page, "site-2")).to_be_checked()
    option(page, "site-1").click()
    expect(page.locator(".gb-serving")).to_have_count(1)
    expect(page.locator(".gb-serving")).to_contain_text("gustbed-site-1")
    page.go_back()
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)


def test_a_fault_reaches_the_chosen_site_only_and_no_form_is_carried_over(
    fleet: Fleet, open_site: OpenPage
) -> None:
    page = open_site("faults")
    inject = page.get_by_role("button", name="Inject")
    page.get_by_role("button", name="wt03").click()
    expect(inject).to_be_enabled()

    option(page, "site-2").click()
    expect(option(page, "site-2")).to_be_checked()
    expect(inject).to_be_disabled()
    page.get_by_role("button", name="wt01").click()
    inject.click()
    wait_until(lambda: fleet.second.commands, "the command reaches the second site's broker")
    turbine, command = fleet.second.commands[0]
    assert isinstance(command, Command)
    assert (turbine, command.action) == ("wt01", "inject")
    expect(page.get_by_text("Inject sent to wt01 at site-2")).to_be_visible()
    expect(page.locator(f'tr[data-command="{command.id}"]')).to_be_visible()
    page.get_by_role("button", name="Clear all faults").click()
    wait_until(lambda: len(fleet.second.commands) == 2, "the fault is cleared")

    option(page, "site-1").click()
    expect(page.locator("tr[data-command]")).to_have_count(0)
    assert fleet.first.commands == []


def test_an_unknown_site_is_told_and_the_default_shown(fleet: Fleet, open_site: OpenPage) -> None:
    page = open_site("faults?site=site-9")

    expect(page.locator(".gb-banner")).to_contain_text("Site site-9 is not known here")
    expect(option(page, "site-1")).to_be_checked()
    option(page, "site-2").click()
    expect(page.locator(".gb-banner")).to_have_count(0)


def test_the_picker_says_how_sites_stand_and_is_worked_by_keyboard(
    fleet: Fleet, open_site: OpenPage
) -> None:
    page = open_site(width=480)
    expect(option(page, "events open: site-2")).to_be_visible()
    expect(option(page, "no event open: site-1")).to_be_visible()
    expect(page.locator('.gb-site-state[data-site="site-2"]')).to_contain_text("1 event open")
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0

    option(page, "site-1").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(option(page, "site-2")).to_be_checked()
    expect(page.locator('[data-cell="edge"]')).to_contain_text("gustbed-site-2")


def test_sites_join_and_leave_while_it_runs(
    browser: Browser, ports: tuple[int, int], tmp_path: Path
) -> None:
    directory = tmp_path / "sites"
    with started(tmp_path, directory) as dashboard:
        page = browser.new_page()
        visit(page, f"{dashboard.url}/faults")
        expect(page.locator(".gb-banner")).to_contain_text("No site is known yet")

        join(directory, "site-2", ports[1])
        expect(page.get_by_role("button", name="wt01")).to_be_visible()
        expect(page.locator(".gb-banner", has_text="known yet")).to_have_count(0)
        expect(page.get_by_role("radiogroup", name="Site")).to_have_count(0)

        (directory / "site-9").mkdir()
        (directory / "site-9" / FILE).write_text("{")
        (directory / "site-9" / "operator.password").write_text("x")
        expect(page.locator(".gb-banner", has_text=f"site-9/{FILE}")).to_contain_text("gustbed up")
        remove_site(directory, "site-9")
        expect(page.locator(".gb-banner", has_text=f"site-9/{FILE}")).to_have_count(0)

        # Whoever looks at a site is not led away by the default that joins.
        join(directory, "site-1", ports[0])
        expect(option(page, "site-2")).to_be_checked()
        expect(option(page, "site-1")).not_to_be_checked()
        remove_site(directory, "site-2")
        expect(page.locator(".gb-banner", has_text="site-2 has left")).to_contain_text("site-1")
        expect(page.get_by_role("radiogroup", name="Site")).to_have_count(0)
        expect(page.locator('[data-testid="stException"]')).to_have_count(0)
        page.close()
    assert "Traceback" not in dashboard.log.read_text()
