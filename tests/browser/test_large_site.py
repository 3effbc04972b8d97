"""A site of more turbines than have room as cards, on a broker and a dashboard of its own."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from gustbed_core import event_kinds
from tests.browser.scripted_site import ScriptedSite
from tests.support.chromium import visit
from tests.support.dashboard import Dashboard, start_dashboard
from tests.support.mosquitto import mosquitto
from tests.support.ports import wait_until

pytestmark = pytest.mark.browser
expect.set_options(timeout=45_000)

TURBINES = [f"wt{i}" for i in range(1, 31)]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Whoever was heard once stays on the pages, so other tests have another dashboard."""
    folder = tmp_path_factory.mktemp("large")
    with mosquitto(folder, anonymous=True, turbines=len(TURBINES)) as broker:
        port = broker.settings.port
        running = start_dashboard(folder, port, len(TURBINES))
        try:
            wait_until(lambda: running.health() == 0, "the dashboard is healthy", timeout=90)
            with ScriptedSite(port, TURBINES) as site:
                site.violations["wt7"] = {event_kinds.VIBRATION}
                yield running
        finally:
            running.stop()


@pytest.mark.parametrize("address", ["", "fleet"])
def test_a_tile_leads_to_its_turbine_and_tiles_are_in_order(
    address: str, large: Dashboard, browser: Browser
) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(45_000)
    visit(page, f"{large.url}/{address}")
    tiles = page.locator(".gb-tile")
    expect(tiles).to_have_count(len(TURBINES))
    assert [tile.get_attribute("data-turbine") for tile in tiles.all()] == TURBINES
    alarmed = page.locator('.gb-card[data-turbine="wt7"][data-condition="anomaly"]')
    expect(alarmed.locator(".gb-line").first).to_be_visible()
    page.locator('.gb-tile[data-turbine="wt10"]').click()

    expect(page.locator('.gb-title[data-turbine="wt10"]')).to_be_visible()
    page.close()
