"""Turbines of several types on one site: each judged by the model of its type, and by no other."""

import time
from pathlib import Path

import numpy as np
import pytest

from gustbed_core import event_kinds
from gustbed_core.events import Verdict
from gustbed_core.features import Feature
from gustbed_core.package import PackageError
from gustbed_core.signals import ChannelSpec, Decision
from gustbed_core.telemetry import Samples
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.scorer import Outcome
from gustbed_edge.scoring.type_scorer import MAX_BUFFER_BYTES, DecisionOverrides, check_fits
from tests.support.bench import TURBINES, TYPES, Bench
from tests.support.packages import (
    MILL,
    MILL_CHANNELS,
    calm,
    excited,
    mill_columns,
    mill_package,
    tiny_package,
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, tiny_package(), mill_package())


def warm(bench: Bench, *turbines: str, blocks: int = 5) -> None:
    """Fill the mills' windows."""
    for _ in range(blocks):
        bench.score(*[bench.mill(turbine) for turbine in turbines])


def only(outcome: Outcome) -> Verdict:
    (verdict,) = outcome.verdicts
    return verdict


def test_a_site_with_two_types_runs_two_models_in_one_batch(bench: Bench) -> None:
    bench.score(*[bench.block("wt01", calm()) for _ in range(2)])
    warm(bench, "wt02")
    outcome = bench.score(
        bench.mill("wt02", current=500.0), bench.block("wt01", excited()), bench.mill("wt02")
    )
    names = {verdict.turbine: verdict.model and verdict.model.name for verdict in outcome.verdicts}
    assert names == {"wt01": "tiny", "wt02": "mill"}
    assert [v.seq for v in outcome.verdicts if v.turbine == "wt02"] == [5, 6]
    mill = next(v for v in outcome.verdicts if v.turbine == "wt02")
    assert mill.ratios == pytest.approx({"current": (4 * 10 + 500) / 5 / 50, "slip": 0.1})
    assert mill.violations == [event_kinds.ELECTRICAL]
    assert [bench.status(turbine).type for turbine in TURBINES] == ["mini", MILL, ""]
    assert {kind: model.name for kind, model in bench.scorer.models.items()} == {
        "mini": "tiny",
        MILL: "mill",
    }


def test_verdicts_of_miniatures_are_the_same_beside_a_scored_type(tmp_path: Path) -> None:
    alone, mixed = Bench(tmp_path, tiny_package()), Bench(tmp_path, tiny_package(), mill_package())
    mixed.boots, mixed.ends = dict(alone.boots), dict(alone.ends)
    expected, seen = [], []
    for values in (calm(), calm(), excited(), excited(), calm()):
        expected += alone.score(alone.block("wt01", values)).verdicts
        outcome = mixed.score(mixed.mill("wt02"), mixed.block("wt01", values))
        seen += [verdict for verdict in outcome.verdicts if verdict.turbine == "wt01"]
    assert seen == expected


def test_channels_are_taken_by_name_whatever_their_order(bench: Bench) -> None:
    chance = np.random.default_rng(2)
    columns = mill_columns(current=70.0, slip=2.0)
    verdicts = []
    for _ in range(8):
        order = chance.permutation(list(columns)).tolist()
        block = bench.mill("wt02", {name: columns[name] for name in order})
        verdicts.append(only(bench.score(block)))
    assert [v.state for v in verdicts] == ["warming"] * 4 + ["anomaly"] * 4
    assert verdicts[-1].ratios == pytest.approx({"current": 1.4, "slip": 2.0})


def test_blocks_of_two_orders_are_judged_alike(bench: Bench) -> None:
    warm(bench, "wt02", "wt03")
    columns = mill_columns(current=300.0)
    turned = dict(reversed(columns.items()))
    outcome = bench.score(bench.mill("wt02", columns), bench.mill("wt03", turned))
    assert [v.ratios["current"] for v in outcome.verdicts] == [1.36, 1.36]


@pytest.mark.promise("T5")
def test_a_block_without_the_models_channels_is_quarantined_and_they_are_named(
    bench: Bench, tmp_path: Path
) -> None:
    columns = mill_columns()
    del columns["rotor"], columns["current"]
    assert bench.score(bench.mill("wt02", columns), bench.mill("wt03")).verdicts[0].turbine == (
        "wt03"
    )
    assert bench.quarantine.counts == {"wrong_fields": 1}
    bench.quarantine.turn()
    assert "['current', 'rotor']" in (tmp_path / "quarantine.jsonl").read_text()


@pytest.mark.promise("T5")
def test_the_rate_is_that_of_the_types_own_model(tmp_path: Path) -> None:
    bench = Bench(tmp_path, tiny_package(), mill_package(window=5))
    bench.scorer.serve(Detector(tiny_package("1.1.0", rate=20.0)))
    assert bench.score(bench.mill("wt02")).verdicts
    other = Bench(tmp_path, mill_package(sample_rate_hz=2.0))
    assert not other.score(other.mill("wt02")).verdicts
    assert other.quarantine.counts == {"wrong_rate": 1}
    other.score(other.block("wt01", calm()))
    assert other.status("wt01").blocks == 1


def test_ten_minute_data_may_come_some_minutes_late(tmp_path: Path) -> None:
    now = time.monotonic()
    package = mill_package(window=2, sample_rate_hz=1 / 600)
    bench = Bench(tmp_path, package, monotonic=lambda: now)
    values = np.array(list(mill_columns().values()))

    def send(late: float) -> Verdict:
        t0 = bench.ends["wt02"] + 600 + late
        seq = bench.seqs["wt02"]
        names = tuple(mill_columns())
        block = Samples("wt02", "b", seq, t0, 600.0, values, MILL, names)
        return only(bench.score(bench.send(block)))

    bench.ends["wt02"] = time.time() - 80_000
    states = [send(late).state for late in (0, 120, -200, 0, 301, 0)]
    assert states == ["warming", "ok", "ok", "ok", "warming", "ok"]
    now += 1500
    assert bench.state("wt02") == "ok"
    now += 600
    assert bench.state("wt02") == "silent"


def test_a_turbine_that_changes_type_starts_anew_and_its_events_are_closed(bench: Bench) -> None:
    bench.score(*[bench.block("wt01", excited()) for _ in range(6)])
    assert bench.tracker.open_kinds(0) == ["voltage"]
    end = bench.ends["wt01"]
    outcome = bench.score(bench.mill("wt01"))
    assert [(e.change, e.kind, e.closed) for e in outcome.events] == [("closed", "voltage", end)]
    assert bench.state("wt01") == "warming"
    warm(bench, "wt01", blocks=4)
    assert bench.state("wt01") == "ok"
    states = [only(bench.score(bench.block("wt01", calm()))).state for _ in range(2)]
    assert states == ["warming", "ok"]
    assert bench.tracker.open_kinds(0) == []


def test_a_change_of_type_within_a_batch_mixes_nothing(bench: Bench) -> None:
    bench.score(*[bench.block("wt01", calm()) for _ in range(3)])
    outcome = bench.score(
        bench.block("wt01", calm()),
        bench.mill("wt01"),
        bench.mill("wt01"),
        bench.block("wt01", excited()),
        bench.block("wt01", excited()),
    )
    assert [v.seq for v in outcome.verdicts] == [3, 4, 5, 6, 7]
    assert [v.state for v in outcome.verdicts] == ["ok", "warming", "warming", "warming", "anomaly"]
    assert outcome.verdicts[-1].score == pytest.approx(1.8)


def test_an_open_event_goes_on_when_the_edge_has_just_started(tmp_path: Path) -> None:
    first = Bench(tmp_path, mill_package())
    warm(first, "wt01", blocks=4)
    (opened,) = first.score(*[first.mill("wt01", current=900.0) for _ in range(4)]).events
    second = Bench(tmp_path, mill_package())
    assert second.tracker.resume([opened]) == []
    assert second.score(second.mill("wt01")).events == []
    assert second.tracker.open_kinds(0) == ["electrical"]


def test_events_follow_the_decision_of_the_types_model(bench: Bench) -> None:
    warm(bench, "wt02")
    faults = [bench.mill("wt02", current=900.0), bench.mill("wt02", current=900.0)]
    assert not bench.score(faults[0]).events
    (opened,) = bench.score(faults[1]).events
    assert (opened.change, opened.kind, opened.signals) == ("opened", "electrical", ["current"])
    assert opened.model.name == "mill"


def test_the_sites_own_decision_goes_before_the_models(tmp_path: Path) -> None:
    bench = Bench(tmp_path, mill_package(), overrides=DecisionOverrides(open_after=3))
    warm(bench, "wt02")
    changes = [bench.score(bench.mill("wt02", current=900.0)).events for _ in range(3)]
    assert [len(events) for events in changes] == [0, 0, 1]
    closing = [bench.score(bench.mill("wt02")).events for _ in range(8)]
    assert [i for i, events in enumerate(closing) if events] == [4 + 2]


def test_smoothed_ratios_decide_and_are_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, mill_package(window=1, decision=Decision(2, 3, smooth=4)))
    currents = [10.0, 10.0, 400.0, 10.0, 10.0, 10.0, 10.0]
    verdicts = [only(bench.score(bench.mill("wt02", current=value))) for value in currents]
    means = [np.mean(currents[max(0, i - 3) : i + 1]) / 50 for i in range(len(currents))]
    assert [v.ratios["current"] for v in verdicts] == pytest.approx(means, abs=1e-5)
    assert [v.state for v in verdicts] == ["ok", "ok", *["anomaly"] * 4, "ok"]


def test_smoothing_starts_anew_with_the_window(tmp_path: Path) -> None:
    bench = Bench(tmp_path, mill_package(window=1, decision=Decision(2, 3, smooth=4)))
    bench.score(*[bench.mill("wt02", current=400.0) for _ in range(4)])
    bench.seqs["wt02"] += 1
    assert only(bench.score(bench.mill("wt02"))).ratios["current"] == pytest.approx(0.2)


def test_smoothing_is_the_same_in_one_batch_and_in_many(tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    package = mill_package(window=3, decision=Decision(2, 3, smooth=3))
    together, apart = Bench(tmp_path, package), Bench(tmp_path, package)
    apart.boots, apart.ends = dict(together.boots), dict(together.ends)
    values = chance.lognormal(3, 1, 30).tolist()
    once = together.score(*[together.mill("wt02", current=value) for value in values])
    stepwise = [only(apart.score(apart.mill("wt02", current=value))) for value in values]
    assert once.verdicts == stepwise


def test_a_model_that_comes_later_scores_its_type_from_then_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, tiny_package())
    for _ in range(6):
        assert not bench.score(bench.mill("wt02")).verdicts
    assert bench.state("wt02") == "unknown"
    bench.scorer.serve(Detector(mill_package()))
    states = [only(bench.score(bench.mill("wt02"))).state for _ in range(6)]
    assert states == ["warming"] * 4 + ["ok"] * 2
    bench.scorer.withdraw(MILL)
    assert not bench.score(bench.mill("wt02")).verdicts
    assert bench.state("wt02") == "unknown"
    assert "mini" in bench.scorer.models


@pytest.mark.promise("O7")
def test_a_swap_to_a_longer_window_and_fewer_channels_leaves_no_block_unscored(
    bench: Bench,
) -> None:
    warm(bench, "wt02", blocks=12)
    features = (Feature("slip", "1/s", "difference", ("rotor", "shaft")),)
    package = mill_package(
        "1.1.0",
        window=8,
        thresholds={"slip": 1.0},
        channels=tuple(ChannelSpec(name, "1") for name in ("shaft", "rotor")),
        features=features,
        violations={event_kinds.ROTATION: ("slip",)},
    )
    bench.scorer.serve(Detector(package))
    verdict = only(bench.score(bench.mill("wt02", slip=0.9)))
    assert verdict.state == "ok"
    assert verdict.ratios == pytest.approx({"slip": (7 * 0.1 + 0.9) / 8})


@pytest.mark.promise("O7")
def test_a_miniatures_next_model_may_read_other_channels_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, tiny_package())
    bench.score(*[bench.block("wt01", calm()) for _ in range(3)])
    package = tiny_package(
        "2.0.0",
        thresholds={"voltage": 500.0},
        channels=(ChannelSpec("voltage", "count"),),
        features=(Feature("voltage", "count"),),
        violations={event_kinds.VOLTAGE: ("voltage",)},
    )
    bench.scorer.serve(Detector(package))
    assert only(bench.score(bench.block("wt01", excited()))).ratios == pytest.approx(
        {"voltage": 1.0}
    )
    bench.scorer.serve(Detector(tiny_package("2.1.0")))
    assert only(bench.score(bench.block("wt01", calm()))).state == "ok"


def test_a_channel_that_was_not_kept_makes_its_turbines_warm_up(bench: Bench) -> None:
    warm(bench, "wt02", blocks=9)
    more = [*MILL_CHANNELS, "door"]
    package = mill_package("1.1.0", channels=tuple(ChannelSpec(name, "1") for name in more))
    bench.scorer.serve(Detector(package))
    states = [only(bench.score(bench.mill("wt02"))).state for _ in range(5)]
    assert states == ["warming"] * 4 + ["ok"]


def test_a_model_that_would_need_too_much_memory_is_refused() -> None:
    manifest = mill_package(window=20_000).manifest
    check_fits(manifest, 1)
    with pytest.raises(PackageError) as refused:
        check_fits(manifest, MAX_BUFFER_BYTES // (4 * 20_000))
    assert refused.value.reason == "too_large"
    with pytest.raises(PackageError) as refused:
        check_fits(mill_package(decision=Decision(1, 1, smooth=10**9)).manifest, 1)
    assert refused.value.reason == "too_large"


def test_a_model_for_a_channel_that_its_type_has_not_is_refused() -> None:
    package = mill_package(turbine_type="mini")
    check_fits(package.manifest, 1)
    with pytest.raises(PackageError) as refused:
        check_fits(package.manifest, 1, TYPES["mini"])
    assert refused.value.reason == "wrong_features"
