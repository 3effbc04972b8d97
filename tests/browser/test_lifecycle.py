"""The dashboard's process: starts without a broker, recovers, stops on SIGTERM."""

import signal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import TURBINES
from tests.browser.scripted_site import ScriptedSite
from tests.support.chromium import visit
from tests.support.dashboard import start_dashboard
from tests.support.mosquitto import mosquitto
from tests.support.ports import free_port, wait_until

pytestmark = pytest.mark.browser


def test_no_broker_is_one_line_and_the_page_recovers_when_it_comes(
    browser: Browser, tmp_path: Path
) -> None:
    port = free_port()
    dashboard = start_dashboard(tmp_path, port)
    try:
        wait_until(lambda: dashboard.health() == 0, "the dashboard is healthy", timeout=90)
        page = browser.new_page()
        visit(page, dashboard.url)
        expect(page.locator(".gb-banner")).to_contain_text(
            f"site broker 127.0.0.1:{port}", timeout=45_000
        )
        expect(page.locator(".gb-card")).to_have_count(len(TURBINES))
        expect(page.locator('[data-testid="stException"]')).to_have_count(0)

        with mosquitto(tmp_path, anonymous=True, port=port), ScriptedSite(port, TURBINES):
            expect(page.locator('.gb-card[data-condition="ok"]')).to_have_count(
                len(TURBINES), timeout=45_000
            )
        page.close()

        dashboard.process.send_signal(signal.SIGTERM)
        assert dashboard.process.wait(30) == 0
        assert "Traceback" not in dashboard.log.read_text()
    finally:
        dashboard.process.kill()
