"""What reaches the browser: escaped, never colour alone, numbers as people read them."""

import re

import pytest

from gustbed_cloud.operations import Execution, Job, ModelVersion
from gustbed_dashboard import markup, rollouts, svg, words
from gustbed_dashboard.snapshot import Condition, take
from gustbed_dashboard.state import SiteState
from gustbed_dashboard.theme import LOOKS
from gustbed_protocol import topics
from gustbed_protocol.codec import encode
from gustbed_protocol.events import AnomalyEvent, Heartbeat, ModelRef
from gustbed_protocol.violations import Violation
from tests.unit.dashboard.messages import SITE, block, heartbeat, status

EVIL = "<script>alert(1)</script>\"'&\n\n# **x**"


def test_what_comes_over_the_network_is_escaped() -> None:
    model = ModelRef(EVIL, EVIL)
    event = AnomalyEvent(EVIL, SITE, EVIL, EVIL, Violation.VOLTAGE, 1.0, None, 2.0, model, "opened")
    state = SiteState(SITE, ["wt01"])
    beat = Heartbeat(SITE, EVIL, 1.0, True, model, [status()], update=EVIL)
    state.fold(topics.heartbeat(SITE), encode(beat), 1.0)
    registered = ModelVersion(EVIL, EVIL, "Approved", 1.0, None, EVIL, EVIL, EVIL)
    execution = Execution(EVIL, EVIL, EVIL, None, None, None)
    job = Job(EVIL, EVIL, EVIL, EVIL, 1.0, None, (execution,))

    pieces = [
        markup.events([event], 2.0, None, limit=5, empty=""),
        markup.strip(take(state, 1.0, None)),
        markup.banner("alarm", EVIL),
        rollouts.version(registered, model, None),
        rollouts.serving(EVIL, model, EVIL, alive=True),
        rollouts.table([job], 2.0),
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
    state = SiteState(SITE, ["wt01"])
    state.fold(topics.telemetry(SITE, "wt01"), encode(block()), 100.0)
    state.fold(topics.heartbeat(SITE), encode(heartbeat(100.0, status(state="anomaly"))), 100.0)

    card = markup.card(take(state, 100.0, None).turbines[0], 2.0, 100.0)

    assert 'data-condition="anomaly"' in card
    assert "Anomaly" in card
    assert 'data-violation="vibration"' in card
    assert "data-violation" not in card.replace('data-violation="vibration"', "", 1)


def test_a_large_fleet_is_tiles_that_also_say_their_state() -> None:
    state = SiteState(SITE, [f"wt{i:03d}" for i in range(200)])

    tiles = markup.tiles(take(state, 100.0, None).turbines)

    assert tiles.count('class="gb-tile ') == 200
    assert tiles.count('title="Waiting"') == 200


def test_the_threshold_is_at_half_height_and_no_score_leaves_the_picture() -> None:
    ratios = [0.0, 0.5, 1.0, 2.0, 50.0, 1e9]
    heights = [markup.compress(ratio) for ratio in ratios]

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
    assert words.nice_ceiling(value, floor) == pytest.approx(top)
    assert words.nice_ceiling(float("nan"), floor) == pytest.approx(floor)


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
    assert words.duration(seconds) == said
