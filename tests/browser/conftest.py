"""A real broker, a scripted site on it, the real dashboard, and Chromium in front."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from gustbed_core.events import Comparison, ModelRef
from tests.browser.scripted_site import MODELS, ScriptedSite
from tests.browser.scripted_turbines import UTILITY
from tests.support.chromium import visit
from tests.support.dashboard import Dashboard, start_dashboard
from tests.support.mosquitto import mosquitto
from tests.support.ports import wait_until

TURBINES = ("wt01", "wt02", "wt03")
SHADOW = ModelRef(MODELS[UTILITY].name, "2.2.0")


@pytest.fixture(scope="session")
def mqtt_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("broker")
    with mosquitto(folder, anonymous=True, turbines=len(TURBINES)) as broker:
        yield broker.settings.port


@pytest.fixture(scope="session")
def dashboard(
    browser: Browser, mqtt_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dashboard]:
    running = start_dashboard(tmp_path_factory.mktemp("dashboard"), mqtt_port, len(TURBINES))
    try:
        wait_until(lambda: running.health() == 0, "the dashboard is healthy", timeout=90)
        yield running
    finally:
        running.stop()


@pytest.fixture
def scripted_site(mqtt_port: int) -> Iterator[ScriptedSite]:
    with ScriptedSite(mqtt_port, TURBINES) as site:
        yield site


@pytest.fixture
def mixed(mqtt_port: int) -> Iterator[ScriptedSite]:
    """A site whose last turbine is of another type, with a shadow model for that type."""
    with ScriptedSite(mqtt_port, TURBINES, types={TURBINES[-1]: UTILITY}) as site:
        site.shadow_models[UTILITY] = Comparison(SHADOW)
        yield site


@pytest.fixture
def open_page(browser: Browser, dashboard: Dashboard) -> Iterator[Callable[..., Page]]:
    """Open an address of the dashboard in a window of its own, wide unless told."""
    contexts = []

    def go(address: str = "", width: int = 1440) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(45_000)
        visit(page, f"{dashboard.url}/{address}")
        return page

    yield go
    for context in contexts:
        context.close()
