"""A twin beside a turbine, on the turbine's page: heard over a real broker, and gone silent."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from gustbed_core import topics
from gustbed_core.codec import encode
from gustbed_core.event_kinds import VOLTAGE
from gustbed_core.events import AnomalyEvent, ModelRef
from gustbed_core.mirror import Mirrored, MirroredChannel, model_name
from tests.browser.scripted_site import ScriptedSite

pytestmark = pytest.mark.browser
expect.set_options(timeout=45_000)

OpenPage = Callable[..., Page]
PANEL = '.gb-mirror[data-mirror="wt01"]'
TYPE = "my_turbine"


def event(site: ScriptedSite, closed: float | None = None) -> AnomalyEvent:
    return AnomalyEvent(
        "mirror-1", site.site, f"gustbed-{site.site}", "wt01", VOLTAGE, 100.0, closed, 1.1,
        ModelRef(model_name(TYPE), "0.4.0"), "opened" if closed is None else "closed", ["voltage"],
    )  # fmt: skip


def say_minute(site: ScriptedSite, z: float, *ids: str) -> None:
    channels = {
        "rps": MirroredChannel(1.61, 1.61, 0.0, 0.1, 0.1),
        "voltage": MirroredChannel(47.0, 47.0 - z / 6, z / 6, z, z),
    }
    minute = Mirrored("wt01", TYPE, 300.0, 60.0, channels, limit=3.0, open=list(ids))
    site.publish_raw(topics.mirror(site.site, "wt01"), encode(minute))


def test_a_mirror_appears_once_it_is_heard_and_shows_what_it_finds(
    scripted_site: ScriptedSite, open_page: OpenPage
) -> None:
    page = open_page("turbine?turbine=wt01")
    expect(page.locator(".mark-line path").first).to_be_visible()
    expect(page.locator(PANEL)).to_have_count(0)

    say_minute(scripted_site, 0.2)
    panel = page.locator(PANEL)
    expect(panel).to_contain_text("As its twin")
    expect(panel).to_contain_text(TYPE)
    expect(page.locator('[class*="st-key-panel-mirror-"]')).to_have_count(3)
    residual = page.locator(".st-key-panel-mirror-2")
    expect(residual).to_contain_text("limit ± 3")
    expect(residual.locator("g.mark-rule.role-mark")).to_have_count(2)

    topic = topics.mirror_event(scripted_site.site, "wt01")
    scripted_site.publish_raw(topic, encode(event(scripted_site)))
    say_minute(scripted_site, -3.4, "mirror-1")
    expect(panel).to_contain_text("Apart from its twin")
    expect(panel.locator('[data-mirror-event="open"]')).to_contain_text("Voltage")
    expect(page.locator('.gb-event[data-event="mirror-1"]')).to_contain_text("mirror 0.4.0")
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)

    scripted_site.publish_raw(topic, encode(event(scripted_site, closed=400.0)))
    expect(panel).to_contain_text("As its twin")
    expect(panel.locator('[data-mirror-event="closed"]')).to_contain_text("closed after 5 min")
