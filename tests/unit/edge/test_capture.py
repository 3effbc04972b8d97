"""Captures are drawn in turn and around events, and are unbroken."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gustbed_core.events import ModelRef, Verdict
from gustbed_edge.capture.capturer import Capturer, Judged, Stretch
from gustbed_edge.scoring.detector import Detector
from tests.support.bench import TURBINES, Bench
from tests.support.packages import MILL_CHANNELS, calm, excited, mill_package, tiny_package

INTERVAL = 300.0
MODEL = ModelRef("tiny", "1.0.0")


class Film:
    """A bench with a capturer whose clock a test sets."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.now = 0.0
        self.bench = Bench(folder, tiny_package(), mill_package())
        self.kept: list[Stretch] = []
        self.capturer = Capturer(
            TURBINES,
            self.bench.scorer,
            self.kept.append,
            **{"interval": INTERVAL, "seconds": 2.0, "monotonic": lambda: self.now, **options},
        )

    def send(self, *turbines: str, count: int = 1, level: float = 1.0) -> None:
        """Blocks of calm miniatures, each a batch."""
        for _ in range(count):
            values = excited(voltage=100.0 * level)
            blocks = [self.bench.block(turbine, values) for turbine in turbines]
            self.capturer.watch(self.bench.score(*blocks))


@pytest.fixture
def film(tmp_path: Path) -> Film:
    return Film(tmp_path)


def values(stretch: Stretch) -> np.ndarray:
    return np.concatenate(stretch.parts, axis=1)


def test_turbines_take_turns_once_in_an_interval(film: Film) -> None:
    film.send(*TURBINES, count=10)
    assert film.kept == []
    drawn = []
    for step in range(1, 7):
        film.now = step * INTERVAL / 3
        film.send(*TURBINES, count=10)
        drawn.append([stretch.turbine for stretch in film.kept])
        film.kept.clear()
    assert drawn == [["wt01"], ["wt02"], ["wt03"]] * 2


def test_a_stretch_is_unbroken_and_has_the_scores_of_its_verdicts(film: Film) -> None:
    film.send("wt01", count=2)
    film.now = INTERVAL / 3
    first = film.bench.ends["wt01"] + 0.05
    for level in (1.0, 2.0, 9.0, 9.0, 1.0):
        film.send("wt01", level=level)
    (stretch,) = film.kept
    assert (stretch.turbine, stretch.type, stretch.reason) == ("wt01", "mini", "sample")
    assert (stretch.boot, stretch.dt, stretch.model) == (film.bench.boots["wt01"], 0.05, MODEL)
    assert stretch.t0 == pytest.approx(first)
    place = stretch.channels.index("voltage")
    expected = np.repeat([100.0, 200.0, 900.0, 900.0], 10)
    np.testing.assert_array_equal(values(stretch)[place], expected)
    assert [judged.position for judged in stretch.judged] == [10, 20, 30, 40]
    # Two blocks are a window, and the tiny model's ratio its mean voltage over 500; the wind's
    # is 0.3 throughout.
    assert [judged.score for judged in stretch.judged] == [0.3, 0.3, 1.1, 1.8]
    assert [judged.anomaly for judged in stretch.judged] == [False, False, True, True]
    named = [list(judged.violations) for judged in stretch.judged]
    assert named == [[], [], ["voltage"], ["voltage"]]
    assert stretch.manifest == film.bench.scorer.detectors["mini"].manifest


def test_channels_are_the_models_only(film: Film) -> None:
    # Two seconds of a mill hold no window of five: two windows are drawn, which can teach.
    film.now = INTERVAL / 3
    for number in range(12):
        film.capturer.watch(film.bench.score(film.bench.mill("wt01", current=10.0 + number)))
    stretch = film.kept[0]
    assert (stretch.type, stretch.channels) == ("mill", MILL_CHANNELS)
    np.testing.assert_array_equal(values(stretch)[0], np.arange(10.0, 20.0))
    assert [judged.position for judged in stretch.judged] == [5, 6, 7, 8, 9, 10]


def test_a_type_without_a_model_is_not_captured(film: Film) -> None:
    film.bench.scorer.withdraw("mill")
    film.now = INTERVAL / 3
    for _ in range(5):
        film.capturer.watch(film.bench.score(film.bench.mill("wt01")))
    assert film.kept == []


def test_a_gap_begins_a_short_stretch_anew_and_ends_a_long_one(film: Film) -> None:
    film.now = INTERVAL / 3
    film.send("wt01")
    film.bench.seqs["wt01"] += 1
    film.send("wt01", count=3)
    assert film.kept == []
    film.bench.seqs["wt01"] += 1
    film.send("wt01")
    (stretch,) = film.kept
    assert stretch.length == 30


def test_a_new_model_ends_a_stretch(film: Film) -> None:
    film.now = INTERVAL / 3
    film.send("wt01", count=3)
    film.bench.scorer.serve(Detector(tiny_package("1.1.0")))
    film.send("wt01")
    (stretch,) = film.kept
    assert (stretch.length, stretch.model) == (30, MODEL)


def test_a_stretch_says_which_commissioning_its_verdicts_heeded(tmp_path: Path) -> None:
    heeded = {"wt01": "c1"}
    asked: list[Verdict] = []

    def commissioning(verdict: Verdict) -> str:
        asked.append(verdict)
        return heeded[verdict.turbine]

    film = Film(tmp_path, commissioning=commissioning)
    film.now = INTERVAL / 3
    # The first block has no verdict yet, and heeds nothing.
    film.send("wt01", count=3)
    heeded["wt01"] = "c2"
    film.send("wt01", count=1)
    (stretch,) = film.kept
    assert (stretch.length, stretch.commissioning) == (30, "c1")
    film.now = 4 * INTERVAL / 3
    film.send("wt01", count=4)
    assert [one.commissioning for one in film.kept] == ["c1", "c2"]
    assert all(verdict.score is not None for verdict in asked)


def test_a_silent_turbines_turn_waits_for_it(film: Film) -> None:
    film.now = INTERVAL / 3
    film.send("wt02", count=9)
    assert film.kept == []
    film.send("wt01", count=4)
    assert [stretch.turbine for stretch in film.kept] == ["wt01"]


def test_after_a_long_silence_no_turn_is_made_up_for(film: Film) -> None:
    film.now = 50 * INTERVAL
    film.send(*TURBINES, count=5)
    assert [stretch.turbine for stretch in film.kept] == ["wt01"]


def test_an_event_is_captured_with_what_was_before_it(film: Film) -> None:
    film.send("wt02", count=8)
    end = film.bench.ends["wt02"]
    for _ in range(8):
        outcome = film.bench.score(film.bench.block("wt02", excited()))
        film.capturer.watch(outcome)
    (stretch,) = film.kept
    assert (stretch.turbine, stretch.reason) == ("wt02", "event")
    # The fourth violating verdict opens the event: a second before its end and one after.
    opened = end + 5 * 10 * 0.05
    assert stretch.t0 == pytest.approx(opened - 19 * 0.05)
    assert stretch.length == 40
    voltage = values(stretch)[stretch.channels.index("voltage")]
    np.testing.assert_array_equal(voltage, np.full(40, 900.0))
    assert [judged.position for judged in stretch.judged] == [10, 20, 30, 40]
    assert all(judged.anomaly for judged in stretch.judged)
    assert all(list(judged.violations) == ["voltage"] for judged in stretch.judged)


def test_the_part_before_an_event_reaches_no_further_than_a_gap(film: Film) -> None:
    film.send("wt02", count=8)
    film.bench.seqs["wt02"] += 1
    for _ in range(12):
        film.capturer.watch(film.bench.score(film.bench.block("wt02", excited())))
    assert film.kept[0].length == 40
    longer = Film(film.bench.quarantine._path.parent, seconds=20.0)
    longer.send("wt02", count=8)
    longer.bench.seqs["wt02"] += 1
    blocks = [longer.bench.block("wt02", excited()) for _ in range(30)]
    for block in blocks:
        longer.capturer.watch(longer.bench.score(block))
    (stretch,) = longer.kept
    # One block warms up, four violate: fifty samples, and ten seconds after them.
    assert stretch.length == 50 + 200
    first = stretch.judged[0]
    assert first == Judged(20, first.score, True, ["voltage"])
    assert first.score == pytest.approx(1.8)


def test_one_event_of_a_turbine_is_captured_in_an_interval(film: Film) -> None:
    def fault() -> None:
        for _ in range(10):
            film.capturer.watch(film.bench.score(film.bench.block("wt02", excited())))
        film.send("wt02", count=14)

    fault()
    fault()
    assert len([s for s in film.kept if s.reason == "event"]) == 1
    film.now += INTERVAL
    film.kept.clear()
    fault()
    assert len([s for s in film.kept if s.reason == "event"]) == 1


def test_an_event_in_a_backlog_is_captured_too(film: Film) -> None:
    blocks = [film.bench.block("wt02", excited()) for _ in range(8)]
    others = [film.bench.block("wt01", calm()) for _ in range(3)]
    film.capturer.watch(film.bench.score(*blocks, *others))
    film.send("wt02", count=3)
    (stretch,) = film.kept
    assert stretch.turbine == "wt02"
    assert stretch.t0 + (stretch.length - 1) * 0.05 == pytest.approx(
        film.bench.ends["wt02"] - 10 * 0.05
    )


def test_an_interval_of_nought_draws_nothing(tmp_path: Path) -> None:
    film = Film(tmp_path, interval=0.0)
    film.now = 1e6
    for _ in range(10):
        film.capturer.watch(film.bench.score(film.bench.block("wt01", excited())))
    assert film.kept == []


# Packing
