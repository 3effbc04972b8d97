"""A batch becomes one verdict per block, in order, whatever came in it."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gustbed_core import legacy, topics
from gustbed_core.telemetry import Samples
from gustbed_edge.ingest.queue import Received
from gustbed_edge.inputs.legacy import LegacyReader
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.scorer import Outcome
from gustbed_edge.scoring.unserved import MAX_TYPES
from tests.support.bench import TURBINES, Bench
from tests.support.packages import (
    BREAKING_VOLTAGE,
    calm,
    excited,
    mini_block,
    tiny_graph,
    tiny_package,
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, tiny_package())


def test_every_block_gets_one_verdict_and_the_first_ones_warm_up(bench: Bench) -> None:
    states = [bench.score(bench.block("wt01", calm())).verdicts[0].state for _ in range(4)]
    assert states == ["warming", "ok", "ok", "ok"]


def test_a_backlog_of_one_turbine_is_scored_block_by_block_in_order(bench: Bench) -> None:
    blocks = [bench.block("wt01", calm()) for _ in range(3)]
    blocks += [bench.block("wt02", calm())]
    blocks += [bench.block("wt01", excited()) for _ in range(3)]
    outcome = bench.score(*blocks)
    of_first = [v for v in outcome.verdicts if v.turbine == "wt01"]
    assert [v.seq for v in of_first] == list(range(6))
    assert [v.state for v in of_first] == ["warming", "ok", "ok", "ok", "anomaly", "anomaly"]
    assert [v.score for v in of_first][1:] == [0.3, 0.3, 1.0, 1.8, 1.8]
    assert sum(len(part.arrived) for part in outcome.rounds) == len(outcome.verdicts) == 7


def test_one_batch_and_many_give_the_same_verdicts(tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    together, apart = Bench(tmp_path, tiny_package()), Bench(tmp_path, tiny_package())
    apart.boots, apart.ends = dict(together.boots), dict(together.ends)
    values = [(TURBINES[i % 3], calm() * chance.uniform(0.5, 9)) for i in range(60)]
    once = together.score(*[together.block(*value) for value in values]).verdicts
    stepwise = [v for value in values for v in apart.score(apart.block(*value)).verdicts]
    assert sorted(once, key=str) == sorted(stepwise, key=str)


def test_a_lost_block_starts_the_warm_up_again(bench: Bench) -> None:
    bench.score(*[bench.block("wt01", calm()) for _ in range(3)])
    bench.seqs["wt01"] += 1
    verdicts = bench.score(*[bench.block("wt01", calm()) for _ in range(2)]).verdicts
    assert [v.state for v in verdicts] == ["warming", "ok"]


def test_a_new_boot_starts_the_warm_up_again_and_others_go_on(bench: Bench) -> None:
    for turbine in ("wt01", "wt02"):
        bench.score(*[bench.block(turbine, calm()) for _ in range(3)])
    bench.boots["wt01"], bench.seqs["wt01"] = "new", 0
    verdicts = bench.score(bench.block("wt01", calm()), bench.block("wt02", calm())).verdicts
    assert [v.state for v in verdicts] == ["warming", "ok"]


def test_a_pause_without_a_missing_number_starts_the_warm_up_again(bench: Bench) -> None:
    bench.score(*[bench.block("wt01", calm()) for _ in range(3)])
    bench.ends["wt01"] += 30
    assert bench.score(bench.block("wt01", calm())).verdicts[0].state == "warming"


def test_a_duplicate_gets_no_second_verdict_and_changes_no_window(bench: Bench) -> None:
    bench.score(*[bench.block("wt01", calm()) for _ in range(3)])
    block = bench.block("wt01", excited())
    assert len(bench.score(block, block).verdicts) == 1
    assert bench.score(bench.block("wt01", calm())).verdicts[0].score == 1.0


@pytest.mark.promise("T5")
def test_bad_payloads_in_a_batch_do_not_touch_the_others(bench: Bench) -> None:
    topic = topics.telemetry("s", "wt01")
    bad = [Received(topic, payload, 0.0) for payload in (b"", b"{", b"\xff" * 50)]
    outcome = bench.score(
        bad[0], bench.block("wt01", calm()), *bad[1:], bench.block("wt02", calm())
    )
    assert [v.turbine for v in outcome.verdicts] == ["wt01", "wt02"]
    assert bench.quarantine.counts == {"malformed": 3}


def test_blocks_of_several_lengths_go_together(bench: Bench) -> None:
    bench.score(*[bench.block(t, calm(20)) for t in TURBINES])
    lengths = {"wt01": 3, "wt02": 10, "wt03": 45}
    outcome = bench.score(*[bench.block(t, excited(n)) for t, n in lengths.items()])
    scores = {v.turbine: v.score for v in outcome.verdicts}
    assert scores["wt01"] == pytest.approx((17 * 100 + 3 * 900) / 20 / 500)
    assert scores["wt03"] == pytest.approx(1.8)


@pytest.mark.promise("T6")
def test_a_failing_model_makes_its_turbine_unknown_and_nothing_else(tmp_path: Path) -> None:
    bench = Bench(tmp_path, tiny_package(model=tiny_graph(breakable=True)))
    for _ in range(3):
        bench.score(*[bench.block(turbine, calm()) for turbine in TURBINES])
    outcome = bench.score(
        bench.block("wt01", excited(voltage=BREAKING_VOLTAGE)),
        bench.block("wt02", excited()),
        bench.block("wt03", calm()),
    )
    states = {v.turbine: v.state for v in outcome.verdicts}
    assert states == {"wt01": "unknown", "wt02": "ok", "wt03": "ok"}
    unknown = outcome.verdicts[0]
    assert (unknown.score, unknown.ratios, unknown.violations) == (None, {}, [])
    assert bench.state("wt01") == "unknown"
    assert bench.state("wt02") == "ok"


@pytest.mark.promise("T6")
def test_without_a_model_a_turbine_is_unknown_and_telemetry_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.score(*[bench.block("wt01", calm()) for _ in range(11)]).verdicts == []
    assert bench.state("wt01") == "unknown"
    (summary,) = bench.scorer.take_summaries()
    assert (summary.turbine, summary.type, summary.values["rps"]) == ("wt01", "mini", 2.0)


def test_unknown_verdicts_neither_open_nor_close_events(tmp_path: Path) -> None:
    bench = Bench(tmp_path, tiny_package(model=tiny_graph(breakable=True)))
    bench.score(*[bench.block("wt01", excited()) for _ in range(8)])
    assert bench.state("wt01") == "anomaly"
    broken = [bench.block("wt01", excited(voltage=BREAKING_VOLTAGE)) for _ in range(30)]
    assert bench.score(*broken).events == []
    assert bench.tracker.open_kinds(0) == ["voltage"]


@pytest.mark.promise("O7")
def test_a_swap_leaves_no_block_unscored(bench: Bench) -> None:
    bench.score(*[bench.block("wt01", calm()) for _ in range(6)])
    bench.scorer.serve(Detector(tiny_package("1.1.0", window=30)))
    verdict = bench.score(bench.block("wt01", calm())).verdicts[0]
    assert verdict.model is not None
    assert (verdict.state, verdict.model.version) == ("ok", "1.1.0")


def test_a_silent_turbine_is_said_to_be_silent(tmp_path: Path) -> None:
    now = time.monotonic()
    bench = Bench(tmp_path, tiny_package(), monotonic=lambda: now)
    bench.score(*[bench.block("wt01", calm()) for _ in range(3)])
    assert bench.state("wt01") == "ok"
    now += 6
    assert bench.state("wt01") == "silent"


def test_summaries_are_means_since_the_last_ones(bench: Bench) -> None:
    values = calm()
    values[10] = [0, 4, 0, 4, 0, 4, 0, 4, 0, 4]
    bench.score(bench.block("wt01", calm()), bench.block("wt01", excited()))
    bench.score(bench.block("wt02", values))
    first, second = bench.scorer.take_summaries()
    assert (first.turbine, first.type) == ("wt01", "mini")
    assert first.values == {
        "voltage": 500.0,
        "rps": 2.0,
        "wind_speed_rps": 3.0,
        "gearboxtemp": 0.0,
        "vibration": 0.0,
    }
    assert (second.turbine, second.values["vibration"]) == ("wt02", 4.0)
    assert bench.scorer.take_summaries() == []


@pytest.mark.promise("P3")
def test_reference_records_are_scored_as_one_turbine(tmp_path: Path) -> None:
    bench = Bench(tmp_path, tiny_package())
    reader = LegacyReader("wt02")
    sample = legacy.sample_as_mapping(excited(1)[:, 0])
    outcome = Outcome()
    for i in range(90):
        record = legacy.format_record(5000 + 50 * i, 1000, sample).encode()
        blocks = [Received("legacy", each, time.monotonic()) for each in reader.read(record)]
        part = bench.score(*blocks)
        outcome.verdicts.extend(part.verdicts)
        outcome.events.extend(part.events)
    assert {v.turbine for v in outcome.verdicts} == {"wt02"}
    assert [v.seq for v in outcome.verdicts] == list(range(9))
    assert outcome.verdicts[-1].violations == ["voltage"]
    assert [event.change for event in outcome.events] == ["opened"]


@pytest.mark.promise("T5")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"turbine": "wt09"}, "unknown_turbine"),
        ({"names": ("rps",)}, "malformed"),
        ({"values": None}, "malformed"),
        ({"values": np.full((18, 10), np.nan)}, "non_finite"),
        ({"dt": 0.0}, "wrong_fields"),
        ({"seq": -1}, "wrong_fields"),
        ({"seq": 1.5}, "wrong_fields"),
        ({"boot": None}, "wrong_fields"),
        ({"turbine": ["wt01"]}, "wrong_fields"),
    ],
)
def test_a_bad_block_of_an_input_is_quarantined_and_the_next_is_scored(
    bench: Bench, changes: dict[str, object], reason: str
) -> None:
    good = mini_block("wt01", "b", 0, time.time() - 100, 0.05, calm())
    bad = replace(good, **changes)  # type: ignore[arg-type]
    outcome = bench.score(Received("example", bad, 0.0), Received("example", good, 0.0))
    assert bench.quarantine.counts == {reason: 1}
    assert [verdict.turbine for verdict in outcome.verdicts] == ["wt01"]


UTILITY_NAMES = tuple(f"channel_{number}" for number in range(4))


def utility_block(bench: Bench, turbine: str, kind: str = "nrel_5mw") -> Received:
    """The turbine's next block, as one of a utility-scale type."""
    t0 = bench.ends[turbine] + 0.02
    values = np.full((len(UTILITY_NAMES), 25), 3.0)
    samples = Samples(
        turbine, bench.boots[turbine], bench.seqs[turbine], t0, 0.02, values, kind, UTILITY_NAMES
    )
    return bench.send(samples)


def test_a_type_without_a_model_is_counted_not_scored_and_not_quarantined(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    blocks = [utility_block(bench, "wt02") for _ in range(5)]
    last = utility_block(bench, "wt02")
    outcome = bench.score(*blocks[:3], bench.block("wt01", calm()), blocks[4], blocks[4], last)
    assert [verdict.turbine for verdict in outcome.verdicts] == ["wt01"]
    status = bench.status("wt02")
    assert (status.state, status.score, status.violations) == ("unknown", None, [])
    assert (status.blocks, status.lost, status.duplicate, status.reordered) == (6, 1, 1, 0)
    bench.score(blocks[3])
    status = bench.status("wt02")
    assert (status.lost, status.reordered) == (0, 1)
    assert bench.scorer.unserved.counts == {"nrel_5mw": 7}
    assert len([line for line in caplog.messages if "nrel_5mw" in line]) == 1
    assert not bench.quarantine.counts
    assert [summary.turbine for summary in bench.scorer.take_summaries()] == ["wt01"]


def test_verdicts_of_miniatures_are_the_same_beside_other_types(tmp_path: Path) -> None:
    alone, mixed = Bench(tmp_path, tiny_package()), Bench(tmp_path, tiny_package())
    mixed.boots, mixed.ends = dict(alone.boots), dict(alone.ends)
    expected, seen = [], []
    for values in (calm(), calm(), excited(), excited(), calm()):
        expected += alone.score(alone.block("wt01", values)).verdicts
        beside = utility_block(mixed, "wt02")
        seen += mixed.score(beside, mixed.block("wt01", values)).verdicts
    assert seen == expected


def test_a_miniature_that_follows_another_type_warms_up_anew(bench: Bench) -> None:
    bench.score(*[bench.block("wt01", calm()) for _ in range(3)])
    bench.score(utility_block(bench, "wt01"))
    assert bench.state("wt01") == "unknown"
    verdicts = bench.score(*[bench.block("wt01", calm()) for _ in range(2)]).verdicts
    assert [verdict.state for verdict in verdicts] == ["warming", "ok"]


def test_a_turbine_whose_type_has_no_model_is_unknown_whatever_it_was_a_moment_ago(
    bench: Bench,
) -> None:
    bench.score(*[bench.block("wt01", calm()) for _ in range(3)])
    outcome = bench.score(bench.block("wt01", calm()), utility_block(bench, "wt01"))
    assert [verdict.state for verdict in outcome.verdicts] == ["ok"]
    assert bench.state("wt01") == "unknown"


def test_types_from_outside_do_not_fill_memory(bench: Bench) -> None:
    for number in range(100):
        bench.score(utility_block(bench, "wt01", f"type-{number}"))
    counts = bench.scorer.unserved.counts
    assert len(counts) == MAX_TYPES + 1
    assert sum(counts.values()) == 100


@pytest.mark.promise("T5")
@pytest.mark.parametrize("kind", ["", "a b", "x" * 65, 'a"} 1'])
def test_a_type_that_is_no_name_is_quarantined(bench: Bench, kind: str) -> None:
    bench.score(utility_block(bench, "wt01", kind))
    assert bench.quarantine.counts == {"wrong_fields": 1}
    assert not bench.scorer.unserved.counts
