"""What reaches the browser: escaped, never colour alone, numbers as people read them."""

import re
from dataclasses import replace

import numpy as np
import pytest

from gustbed_cloud.operations import GateResult
from gustbed_core import event_kinds, topics
from gustbed_core.codec import encode
from gustbed_core.commands import Command
from gustbed_core.commissioning.messages import DIFFERS, Basis, CommissioningState
from gustbed_core.drift import DriftReport, FeatureDrift, TurbineDrift
from gustbed_core.events import AnomalyEvent, Comparison, Heartbeat, ModelRef
from gustbed_core.turbine_types import CardReading
from gustbed_dashboard import formatting
from gustbed_dashboard.cloud.client import Execution, Job, ModelVersion
from gustbed_dashboard.components import (
    commissioning,
    drift_panel,
    fleet_cards,
    html,
    model_comparison,
    model_panels,
    svg,
)
from gustbed_dashboard.components.model_panels import Serving
from gustbed_dashboard.components.theme import LOOKS
from gustbed_dashboard.site.card_readings import Reading
from gustbed_dashboard.site.command_log import ActiveFault, Sent
from gustbed_dashboard.site.signals import SignalHistory
from gustbed_dashboard.site.snapshot import Condition, take
from gustbed_dashboard.site.state import SiteState
from gustbed_dashboard.views import faults, score_panels, signal_panels
from tests.unit.dashboard.messages import (
    OTHER,
    SITE,
    TYPES,
    block,
    event,
    heartbeat,
    status,
    typed_block,
)

EVIL = "<script>alert(1)</script>\"'&\n\n# **x**"


def test_what_comes_over_the_network_is_escaped() -> None:
    model = ModelRef(EVIL, EVIL)
    evil_event = AnomalyEvent(
        EVIL, SITE, EVIL, EVIL, event_kinds.VOLTAGE, 1.0, None, 2.0, model, "opened", [EVIL],
        reason=EVIL,
    )  # fmt: skip
    state = SiteState(SITE, ["wt01"], TYPES)
    beside = Comparison(model, 9, 1, 2, 3, 3)
    beat = Heartbeat(SITE, EVIL, 1.0, True, model, [status()], update=EVIL)
    state.fold(topics.heartbeat(SITE), encode(beat), 1.0)
    registered = ModelVersion(
        EVIL, EVIL, "Approved", 1.0, None, EVIL, EVIL, "serve", detector=EVIL, turbine_type=EVIL,
        gate=GateResult(passed=False, detail=EVIL, override=EVIL),
    )  # fmt: skip
    evil_type = TYPES.get(EVIL, [EVIL])
    served = Serving(evil_type, 1, model, {"care": EVIL}, beside)
    drifted = [FeatureDrift(EVIL, 1.0, 2.0, "large", "large", 1.0)]
    misfits = [TurbineDrift(EVIL, "large", 3, 1.0, [EVIL])]
    report = DriftReport(
        EVIL, EVIL, 1.0, "large", drifted, EVIL, "misfit", "large", misfits, 1.0, EVIL
    )
    active = ActiveFault(EVIL, EVIL, EVIL, 1.0, 1.0)
    told = Sent(EVIL, Command("inject", fault=EVIL, signal=EVIL, id=EVIL), 1.0)
    execution = Execution(EVIL, EVIL, EVIL, None, None, None)
    signals = SignalHistory(evil_type, np.array([0.0]), {EVIL: np.array([1.0])})
    evil_card = replace(
        take(state, 1.0, None).turbines[0],
        id=EVIL,
        note=EVIL,
        type=evil_type,
        carried_by=[EVIL],
        readings=[Reading(CardReading(EVIL, EVIL), EVIL, 1.0, [1.0])],
    )
    job = Job(EVIL, EVIL, EVIL, EVIL, 1.0, None, (execution,))

    pieces = [
        html.render(
            "events",
            events=[evil_event],
            now=2.0,
            zone=None,
            limit=5,
            alive=True,
            empty="",
            type_of=lambda turbine: evil_type,
            query={},
        ),
        fleet_cards.strip(take(state, 1.0, None)),
        fleet_cards.card(evil_card, [1.0]),
        faults.active([active], 2.0, lambda turbine: evil_type),
        faults.commands([told], 2.0, lambda turbine: None),
        score_panels.bars({EVIL: 1.2}, evil_type, {EVIL: "#fff"}, 1),
        signal_panels.overview({EVIL: [EVIL]}, signals, 60, [EVIL]),
        html.macro("section", EVIL, EVIL),
        html.macro("banners", [("alarm", EVIL)]),
        html.macro("chips", [EVIL]),
        html.macro("question", EVIL, EVIL),
        html.box("gb-empty", f"`{EVIL}`"),
        html.render("legend", title=EVIL, unit=EVIL, keys=[(EVIL, "#fff", 1.0)]),
        html.render("turbine_title", turbine=evil_card, facts=[("type", EVIL)], kinds=[EVIL]),
        model_comparison.figure_tiles({"care": EVIL}),
        model_panels.version(registered, "serve", None),
        model_panels.serving(EVIL, [served], EVIL, alive=True),
        drift_panel.drift_reports([report], lambda name: evil_type, 2.0),
        model_panels.rollouts([job], 2.0),
    ]

    for piece in pieces:
        assert "<script" not in piece
        assert "&lt;script" in piece
        assert "\n" not in piece, "a line break would end the raw HTML block"
        assert not re.search(r'="[^"]*alert\(1\)[^"]*[<>]', piece)


def test_every_condition_has_its_own_word_and_icon() -> None:
    assert set(LOOKS) == set(Condition)
    assert len({look.word for look in LOOKS.values()}) == len(Condition)
    assert len({look.icon for look in LOOKS.values()}) == len(Condition)
    assert all(svg.icon(look.icon).startswith("<svg") for look in LOOKS.values())


def test_a_card_names_its_state_and_its_violation_in_words() -> None:
    state = SiteState(SITE, ["wt01"], TYPES)
    state.fold(topics.telemetry(SITE, "wt01"), encode(block()), 100.0)
    state.fold(topics.heartbeat(SITE), encode(heartbeat(100.0, status(state="anomaly"))), 100.0)

    state.fold(topics.event(SITE, "wt01"), encode(event(signals=("roll", "pitch"))), 100.0)

    card = fleet_cards.card(take(state, 100.0, None).turbines[0], [2.0, 100.0])

    assert 'data-condition="anomaly"' in card
    assert "Anomaly" in card
    assert 'data-violation="vibration"' in card
    assert "data-violation" not in card.replace('data-violation="vibration"', "", 1)
    assert "carried by roll, pitch" in card
    assert "Miniature" in card
    assert "Thermal" not in card, "no model of a miniature finds that"


@pytest.mark.parametrize(
    ("basis", "said"),
    [("prior", True), ("provisional", True), ("factory", False), ("own", False), (None, False)],
)
def test_a_card_and_a_tile_say_that_a_turbine_is_not_commissioned(
    basis: Basis | None, said: bool
) -> None:
    state = SiteState(SITE, ["wt01"], TYPES)
    state.fold(topics.telemetry(SITE, "wt01"), encode(block()), 100.0)
    standing = None if basis is None else CommissioningState(basis)
    known = replace(status(), commissioning=standing)
    state.fold(topics.heartbeat(SITE), encode(heartbeat(100.0, known)), 100.0)
    turbine = take(state, 100.0, None).turbines[0]
    assert ("not commissioned" in fleet_cards.card(turbine, [2.0, 100.0])) is said
    assert ("not commissioned" in fleet_cards.tiles([turbine])) is said


def test_a_turbine_that_lost_trust_says_that_it_differs_from_its_type() -> None:
    state = SiteState(SITE, ["wt01"], TYPES)
    state.fold(topics.telemetry(SITE, "wt01"), encode(block()), 100.0)
    standing = CommissioningState(differs=True)
    known = replace(status(), commissioning=standing)
    state.fold(topics.heartbeat(SITE), encode(heartbeat(100.0, known)), 100.0)
    turbine = take(state, 100.0, None).turbines[0]
    assert DIFFERS in fleet_cards.card(turbine, [2.0, 100.0])
    assert f", {DIFFERS}" in fleet_cards.tiles([turbine])
    assert "look for a weak fault" in commissioning.panel("wt01", standing)


def test_an_event_that_did_not_calm_down_says_why_it_was_closed() -> None:
    def shown(reason: str) -> str:
        closed = replace(event(closed=95.0), reason=reason)
        return html.render(
            "events", events=[closed], now=100.0, zone=None, limit=5, alive=True, empty="",
            type_of=lambda turbine: None, query={},
        )  # fmt: skip

    assert DIFFERS in shown(DIFFERS)
    assert "gb-caution" not in shown("")


def test_a_turbines_commissioning_is_told_in_words() -> None:
    running = commissioning.panel("wt01", CommissioningState(running=0.42, note="<b>"))
    assert 'aria-valuenow="42"' in running
    assert "Not commissioned" in running
    assert "&lt;b&gt;" in running
    ready = commissioning.panel("wt01", CommissioningState("own", "c2.0123abcd", ready=True))
    assert "Commissioned" in ready
    assert "c2.0123abcd" in ready
    assert "accept it" in ready
    refused = commissioning.panel("wt01", CommissioningState(refused="voltage changed"), "no")
    assert "The last period was refused: voltage changed" in refused
    assert "The edge refused: no" in refused
    assert "cannot be corrected" in commissioning.panel("wt01", None)


def test_a_card_of_another_type_shows_its_own_channels_and_all_kinds() -> None:
    state = SiteState(SITE, ["wt01"], TYPES)
    state.fold(topics.telemetry(SITE, "wt01"), encode(typed_block()), 100.0)

    turbine = take(state, 100.0, None).turbines[0]
    card = fleet_cards.card(turbine, [20.0, 5000.0])

    assert turbine.type.name == OTHER
    assert 'data-type="nrel_5mw"' in card
    assert "NREL 5 MW" in card
    assert [(r.shown.title, r.unit, r.value) for r in turbine.readings] == [
        ("Rotor", "rpm", 2.0),
        ("Power", "kW", 3.0),
    ]
    for kind in ("Vibration", "Rotation", "Voltage", "Thermal", "Electrical", "Sensor"):
        assert kind in card


def test_long_lists_of_signals_are_cut_in_words_and_whole_in_the_hint() -> None:
    line = html.macro("carried", ["a_b", "rotor_speed", "voltage_l1", "status"], None)

    assert "carried by a b, rotor speed, voltage L1 and 1 more" in line
    assert 'title="a b, rotor speed, voltage L1, status"' in line
    assert html.macro("carried", [], None) == ""


def test_a_large_fleet_is_tiles_that_also_say_their_state() -> None:
    state = SiteState(SITE, [f"wt{i:03d}" for i in range(200)], TYPES)

    tiles = fleet_cards.tiles(take(state, 100.0, None).turbines)

    assert tiles.count('class="gb-tile ') == 200
    assert tiles.count('title="Waiting: ') == 200


def test_the_threshold_is_at_half_height_and_no_score_leaves_the_picture() -> None:
    ratios = [0.0, 0.5, 1.0, 2.0, 50.0, 1e9]
    heights = [html.compress(ratio) for ratio in ratios]

    assert heights[2] == pytest.approx(0.5)
    assert heights == sorted(heights)
    assert heights[0] >= 0
    assert heights[-1] <= 1


def test_a_sparkline_is_broken_where_nothing_came() -> None:
    drawn = svg.sparkline([1, 2, None, None, 3, 4], 4.0, css="x", label="y")

    assert drawn.count('class="gb-line"') == 2


@pytest.mark.parametrize(
    ("value", "floor", "top"),
    [(0.0, 2.0, 2.0), (2.1, 2.0, 5.0), (180.0, 100.0, 200.0), (float("inf"), 2.0, 2.0)],
)
def test_axes_end_at_round_numbers(value: float, floor: float, top: float) -> None:
    assert formatting.nice_ceiling(value, floor) == pytest.approx(top)
    assert formatting.nice_ceiling(float("nan"), floor) == pytest.approx(floor)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0 s"),
        (8, "8 s"),
        (75, "1 min 15 s"),
        (900, "15 min"),
        (7800, "2 h 10 min"),
        (3e5, "3 d"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert formatting.duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (-0.001, "0.00"),
        (1.5, "1.50"),
        (42.25, "42.2"),
        (690.4, "690"),
        (4e10, "4e+10"),
    ],
)
def test_numbers_are_as_long_as_they_are_worth(value: float | None, said: str) -> None:
    assert formatting.number(value) == said
