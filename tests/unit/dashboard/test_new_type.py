"""A turbine type that somebody adds: its file in a folder of theirs, and no code changed."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from streamlit.testing.v1 import AppTest

from gustbed_core import topics
from gustbed_core.codec import encode
from gustbed_core.events import Heartbeat
from gustbed_core.turbine_types import load_types
from gustbed_dashboard.components import channel_groups
from gustbed_dashboard.site.client import SiteClient
from gustbed_dashboard.site.clients import Sites
from gustbed_dashboard.site.mirror_log import MirrorHistory
from gustbed_dashboard.site.signals import signal_history
from gustbed_dashboard.site.snapshot import SiteSnapshot, take
from gustbed_dashboard.site.state import SiteState
from gustbed_dashboard.site.turbine_buffers import Scores
from gustbed_dashboard.site.type_catalog import TypeCatalog
from gustbed_dashboard.views.fault_form import hint
from gustbed_dashboard.views.signal_panels import few_charts
from tests.unit.dashboard.messages import MODEL, SITE, status, typed_block

NOW = 100.2
COLUMNS = ("hub_speed", "tip_angle", "base_angle", "oil_pressure", "shake_x")
FILE = """
name: kite
title: Airborne wind turbine
label: Kite AWT
rate_hz: 20
channels:
  - {name: hub_speed, label: reel, unit: rpm}
  - {name: tip_angle, unit: deg}
  - {name: base_angle, unit: deg}
  - {name: oil_pressure, unit: bar}
  - {name: shake_x, unit: m/s2}
window: 40
step: 10
features:
  - {name: hub_speed}
  - {name: bend, label: tether bend, op: turn, of: [tip_angle, base_angle]}
violations:
  vibration: [bend]
  slack_line: [hub_speed, bend]
groups:
  - {title: Tether, channels: [hub_speed, tip_angle, base_angle]}
card:
  - {channel: hub_speed, title: Reel, decimals: 1, floor: 50}
aggregates:
  hub_speed: {op: mean}
  shake: {op: rms_change, of: [shake_x]}
"""


class _Client:
    """What the page asks the live state for."""

    def __init__(self, state: SiteState) -> None:
        self._state = state

    def snapshot(self) -> SiteSnapshot:
        return take(self._state, NOW, None)

    def signals(self, turbine: str, seconds: float) -> object:
        buffers = self._state.turbines[turbine]
        assert buffers.turbine_type is not None
        times, columns = buffers.signals.since(NOW - seconds)
        return signal_history(buffers.turbine_type, times, columns, NOW)

    def scores(self, turbine: str, seconds: float) -> Scores:
        return self._state.turbines[turbine].scores(NOW - seconds, NOW)

    def mirror(self, turbine: str) -> MirrorHistory | None:
        return self._state.turbines[turbine].mirror.history(NOW)


@pytest.fixture
def state(tmp_path: Path) -> SiteState:
    (tmp_path / "kite.yaml").write_text(FILE)
    state = SiteState(SITE, ["wt01"], TypeCatalog(load_types(tmp_path)))
    payload = encode(typed_block(names=COLUMNS, kind="kite"))
    state.fold(topics.telemetry(SITE, "wt01"), payload, NOW)
    seen = [status(kind="kite")]
    beat = Heartbeat(SITE, "t", 100.0, True, MODEL, seen, models={"kite": MODEL})
    state.fold(topics.heartbeat(SITE), encode(beat), NOW)
    return state


@pytest.fixture
def page(state: SiteState, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AppTest]:
    client = cast(SiteClient, _Client(state))
    monkeypatch.setattr("gustbed_dashboard.views.resources.sites", lambda: Sites({SITE: client}))

    def run(name: str) -> AppTest:
        source = (
            f"from gustbed_dashboard.views.{name} import page\n"
            "from gustbed_dashboard.views.site_picker import ChosenSite\n"
            f"page(ChosenSite({SITE!r}))\n"
        )
        app = AppTest.from_string(source, default_timeout=60).run()
        assert not app.exception, app.exception
        return app

    return run


def test_its_file_says_what_its_card_shows(state: SiteState) -> None:
    (card,) = take(state, NOW, None).turbines

    assert card.type.label == "Kite AWT"
    assert [(r.shown.title, r.unit, r.value) for r in card.readings] == [("Reel", "rpm", 1.0)]


def test_its_page_shows_its_labels_groups_features_and_aggregates(
    page: Callable[[str], AppTest],
) -> None:
    app = page("turbine")

    text = " ".join(element.value for element in app.markdown)
    for said in ("Kite AWT", "Reel", "Tether bend", "Oil pressure", "Tip angle", "bar"):
        assert said in text
    (signals,) = (pills for pills in app.button_group if pills.label == "Signals")
    assert [option.content for option in signals.proto.options] == [
        "All signals",
        "Tether",
        "Other",
    ]


def test_its_faults_page_runs(page: Callable[[str], AppTest]) -> None:
    text = " ".join(element.value for element in page("faults").markdown)

    assert "Active faults" in text


def test_what_shows_a_fault_comes_from_its_event_kinds(state: SiteState) -> None:
    kite = state.types.get("kite")

    assert hint("vibration", [kite]) == (
        "Vibration. Kite AWT shows it in tether bend."
        " `gustbed twin faults` lists what else such a turbine can have."
    )
    assert hint("voltage", []) == "Voltage."


def test_a_feature_goes_where_its_channels_are_and_few_charts_are_all_shown(
    state: SiteState,
) -> None:
    kite = state.types.get("kite")
    families = channel_groups.families([*COLUMNS, "bend", "shake"], kite)

    assert families["Tether"] == ["hub_speed", "tip_angle", "base_angle", "bend"]
    assert families["Other"] == ["oil_pressure", "shake_x", "shake"]
    assert [(chart.title, chart.unit) for chart in few_charts(families, kite)] == [
        ("Reel", "rpm"),
        ("Tip angle", "°"),
        ("Base angle", "°"),
        ("Tether bend", "°"),
    ]
