"""A shadow model sees what the serving model sees, is tallied, and can hold nothing up."""

import time
from pathlib import Path

import numpy as np
import pytest

from gustbed_core import event_kinds
from gustbed_core.events import Comparison, ModelRef, Verdict
from gustbed_core.features import Feature
from gustbed_core.signals import ChannelSpec, Decision
from gustbed_edge.ingest.queue import Received
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.shadow_models import ShadowModels
from gustbed_edge.scoring.type_scorer import NO_OVERRIDES
from tests.support.bench import TURBINES, TYPES, Bench
from tests.support.packages import (
    BREAKING_VOLTAGE,
    MILL,
    THRESHOLDS,
    calm,
    excited,
    mill_package,
    tiny_graph,
    tiny_package,
)

STRICT = {**THRESHOLDS, "voltage": 50.0}
"""To a model with these, a calm turbine is an anomaly."""


class Ring:
    """A bench with a shadow model."""

    def __init__(self, folder: Path, max_scoring_time: float = 5.0) -> None:
        self.bench = Bench(folder, tiny_package(), mill_package())
        self.shadow_models = ShadowModels(
            len(TURBINES), overrides=NO_OVERRIDES, max_scoring_time=max_scoring_time, types=TYPES
        )

    def run(self, *blocks: Received, busy: bool = False) -> list[Verdict]:
        """Score a batch; return what the shadow models say."""
        return self.shadow_models.compare(self.bench.score(*blocks), busy=busy)

    def calm(self, count: int = 1) -> list[Verdict]:
        """Blocks of one calm miniature."""
        return self.run(*[self.bench.block("wt01", calm()) for _ in range(count)])

    @property
    def tally(self) -> Comparison:
        return self.shadow_models.comparisons()["mini"]


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return Ring(tmp_path)


def test_agreement_is_tallied_verdict_by_verdict(ring: Ring) -> None:
    ring.shadow_models.begin(Detector(tiny_package("2.0.0", thresholds=STRICT)))
    bench = ring.bench
    values = [calm() / 10] * 2 + [calm()] * 2 + [excited()] * 3
    told = ring.run(*[bench.block("wt01", value) for value in values])
    assert [verdict.state for verdict in told] == ["warming", "ok"] + ["anomaly"] * 5
    assert [verdict.seq for verdict in told] == list(range(7))
    assert {verdict.model for verdict in told} == {ModelRef("tiny", "2.0.0")}
    assert ring.tally == Comparison(ModelRef("tiny", "2.0.0"), 6, 2, 1, 0, 3)


def test_what_only_the_serving_model_accuses_is_told_apart(ring: Ring) -> None:
    lax = {**THRESHOLDS, "voltage": 5000.0}
    ring.shadow_models.begin(Detector(tiny_package("2.0.0", thresholds=lax)))
    ring.run(*[ring.bench.block("wt01", excited()) for _ in range(4)])
    assert (ring.tally.verdicts, ring.tally.only_serving) == (3, 3)


def test_a_shadow_model_sees_the_windows_of_the_serving_model(ring: Ring) -> None:
    ring.shadow_models.begin(Detector(tiny_package("2.0.0")))
    for number in range(6):
        values = calm() * (1 + number)
        outcome = ring.bench.score(*[ring.bench.block(t, values) for t in TURBINES[:2]])
        told = ring.shadow_models.compare(outcome, busy=False)
        assert [v.ratios for v in told] == [v.ratios for v in outcome.verdicts]


def test_another_window_other_channels_and_another_decision_work(ring: Ring) -> None:
    package = mill_package(
        "2.0.0",
        window=8,
        thresholds={"weather": 2.0},
        channels=(ChannelSpec("weather", "1"),),
        features=[Feature("weather", "1")],
        violations={event_kinds.SENSOR: ["weather"]},
        decision=Decision(1, 1, smooth=2),
    )
    ring.shadow_models.begin(Detector(package))
    told = [ring.run(ring.bench.mill("wt02"))[0] for _ in range(10)]
    assert [verdict.state for verdict in told] == ["warming"] * 7 + ["anomaly"] * 3
    assert told[-1].ratios == {"weather": 1.5}
    tally = ring.shadow_models.comparisons()[MILL]
    assert (tally.verdicts, tally.only_shadow) == (3, 3)


def test_other_types_are_not_its_business(ring: Ring) -> None:
    ring.shadow_models.begin(Detector(tiny_package("2.0.0")))
    bench = ring.bench
    told = ring.run(bench.mill("wt02"), bench.block("wt01", calm()), bench.mill("wt02"))
    assert [verdict.turbine for verdict in told] == ["wt01"]


def test_a_gap_makes_it_warm_up_again(ring: Ring) -> None:
    ring.shadow_models.begin(Detector(tiny_package("2.0.0")))
    assert ring.calm(3)[-1].state == "ok"
    ring.bench.seqs["wt01"] += 1
    assert [verdict.state for verdict in ring.calm(2)] == ["warming", "ok"]


def test_while_the_edge_is_behind_it_only_watches(ring: Ring) -> None:
    ring.shadow_models.begin(Detector(tiny_package("2.0.0")))
    assert ring.run(*[ring.bench.block("wt01", calm()) for _ in range(3)], busy=True) == []
    assert ring.tally.verdicts == 0
    assert [verdict.state for verdict in ring.calm()] == ["ok"]


def test_what_it_only_watched_is_no_part_of_its_means(ring: Ring) -> None:
    ring.shadow_models.begin(Detector(mill_package("2.0.0", window=1, decision=Decision(2, 3, 4))))
    bench = ring.bench
    for current in (500.0, 500.0):
        ring.run(bench.mill("wt02", current=current))
    ring.run(bench.mill("wt02"), busy=True)
    (verdict,) = ring.run(bench.mill("wt02"))
    assert verdict.ratios["current"] == 0.2


def test_a_run_that_ends_too_late_by_itself_is_too_slow_too(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = Detector(tiny_package("2.0.0"))
    late = np.zeros((2, len(THRESHOLDS)), dtype=np.float32), 5.1
    monkeypatch.setattr(detector, "timed", lambda *_: late)
    ring.shadow_models.begin(detector)
    assert ring.calm(3) == []
    assert ring.shadow_models.dropped == {"mini": 1}


def test_a_shadow_model_that_fails_is_dropped_and_the_serving_model_goes_on(
    ring: Ring, caplog: pytest.LogCaptureFixture
) -> None:
    ring.shadow_models.begin(Detector(tiny_package("2.0.0", model=tiny_graph(breakable=True))))
    ring.calm(3)
    block = ring.bench.block("wt01", excited(voltage=BREAKING_VOLTAGE))
    outcome = ring.bench.score(block)
    assert ring.shadow_models.compare(outcome, busy=False) == []
    assert [verdict.state for verdict in outcome.verdicts] == ["anomaly"]
    assert ring.shadow_models.comparisons() == {}
    assert ring.shadow_models.dropped == {"mini": 1}
    assert "shadow model 2.0.0 of type mini dropped" in caplog.text
    assert ring.calm() == []


def test_a_shadow_model_that_is_slow_is_stopped_in_time_and_dropped(tmp_path: Path) -> None:
    slow = Detector(tiny_package("2.0.0", model=tiny_graph(delay=60)))
    _, unbounded = slow.timed(np.zeros((1, len(THRESHOLDS), 20), dtype=np.float32), 60.0)
    ring = Ring(tmp_path, max_scoring_time=unbounded / 100)
    ring.shadow_models.begin(slow)
    outcome = ring.bench.score(*[ring.bench.block("wt01", calm()) for _ in range(3)])
    start = time.perf_counter()
    assert ring.shadow_models.compare(outcome, busy=False) == []
    assert time.perf_counter() - start < unbounded / 2
    assert ring.shadow_models.dropped == {"mini": 1}
    assert ring.shadow_models.comparisons() == {}
    assert [verdict.state for verdict in outcome.verdicts] == ["warming", "ok", "ok"]


def test_a_shadow_model_for_channels_that_blocks_lack_is_dropped_and_says_which(
    ring: Ring, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("current", "rotor", "shaft", "siren")
    channels = tuple(ChannelSpec(name, "1") for name in names)
    ring.shadow_models.begin(Detector(mill_package("2.0.0", channels=channels)))
    assert ring.run(ring.bench.mill("wt02")) == []
    assert "siren" in caplog.text
    assert ring.shadow_models.dropped == {MILL: 1}


def test_one_that_follows_begins_with_an_empty_tally(ring: Ring) -> None:
    ring.shadow_models.begin(Detector(tiny_package("2.0.0")))
    ring.calm(4)
    ring.shadow_models.begin(Detector(tiny_package("2.1.0")))
    assert ring.tally == Comparison(ModelRef("tiny", "2.1.0"))
    ring.shadow_models.end("mini")
    assert ring.shadow_models.comparisons() == {}
    assert ring.shadow_models.dropped == {}
