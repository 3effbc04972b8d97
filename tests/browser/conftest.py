"""A real broker, a scripted site on it, the real dashboard, and Chromium in front."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from gustbed_core.events import Comparison, ModelRef
from tests.browser.scripted_site import MODELS, ScriptedSite
from tests.browser.scripted_turbines import UTILITY
from tests.support.chromium import visit
from tests.support.mosquitto import mosquitto
from tests.support.ports import free_port, wait_until

TURBINES = ("wt01", "wt02", "wt03")
SHADOW = ModelRef(MODELS[UTILITY].name, "2.2.0")


@dataclass(frozen=True)
class Dashboard:
    """A running dashboard with its own free ports."""

    url: str
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    log: Path

    @property
    def drift_folder(self) -> Path:
        """Where it looks for drift reports."""
        return Path(self.environment["GUSTBED_HOME"]) / "drift"

    def health(self) -> int:
        """Exit code of ``python -m gustbed_dashboard health``."""
        command = [sys.executable, "-m", "gustbed_dashboard", "health"]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, timeout=60, check=False
        )
        return done.returncode


def start_dashboard(
    folder: Path, mqtt_port: int, cloud: Mapping[str, str] | None = None
) -> Dashboard:
    """Start the product's entry point against a broker; the edge is away, as is a cloud of None."""
    port, nowhere = free_port(), free_port()
    away = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{nowhere}",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("GUSTBED_", "AWS_"))},
        "GUSTBED_DASHBOARD_PORT": str(port),
        "GUSTBED_MQTT_PORT": str(mqtt_port),
        "GUSTBED_TURBINES": str(len(TURBINES)),
        "GUSTBED_EDGE_URL": f"http://127.0.0.1:{nowhere}",
        "GUSTBED_HOME": str(folder),
        **(away if cloud is None else cloud),
    }
    log = folder / "dashboard.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "gustbed_dashboard"],
            env=environment,
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    return Dashboard(f"http://127.0.0.1:{port}", process, environment, log)


@pytest.fixture(scope="session")
def mqtt_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("broker")
    with mosquitto(folder, anonymous=True, turbines=len(TURBINES)) as broker:
        yield broker.settings.port


@pytest.fixture(scope="session")
def dashboard(
    browser: Browser, mqtt_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dashboard]:
    running = start_dashboard(tmp_path_factory.mktemp("dashboard"), mqtt_port)
    try:
        wait_until(lambda: running.health() == 0, "the dashboard is healthy", timeout=90)
        yield running
    finally:
        running.process.terminate()
        try:
            running.process.wait(30)
        finally:
            running.process.kill()


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
