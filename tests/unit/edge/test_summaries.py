"""Every turbine type gets its aggregates, with or without a model, with or without a file."""

from pathlib import Path

import numpy as np
import pytest

from gustbed_core.signals import ChannelSpec
from gustbed_core.telemetry import Samples
from gustbed_edge.ingest.queue import Received
from gustbed_edge.scoring.detector import Detector
from tests.support.bench import TYPES, Bench
from tests.support.packages import MILL, MILL_CHANNELS, mill_package, tiny_package

NREL = TYPES["nrel_5mw"]


def utility_block(bench: Bench, turbine: str, level: float) -> Received:
    """A block with every channel of the type."""
    names = NREL.channel_names
    values = np.full((len(names), 25), level)
    seq, t0 = bench.seqs[turbine], bench.ends[turbine] + 0.02
    return bench.send(
        Samples(turbine, bench.boots[turbine], seq, t0, 0.02, values, NREL.name, names)
    )


def test_a_type_with_a_file_is_summed_up_by_it_while_no_model_serves(tmp_path: Path) -> None:
    bench = Bench(tmp_path, tiny_package())
    for level in (1.0, 3.0):
        bench.score(utility_block(bench, "wt02", level))
    (summary,) = bench.scorer.take_summaries()
    assert (summary.turbine, summary.type) == ("wt02", "nrel_5mw")
    assert set(summary.values) == {aggregate.name for aggregate in NREL.aggregates}
    assert summary.values["wind_speed"] == 2.0
    assert summary.values["tower_vibration"] == 0.0
    assert summary.values["status"] == 3.0
    assert bench.scorer.take_summaries() == []


def test_a_type_without_a_file_is_summed_up_by_what_its_model_reads(tmp_path: Path) -> None:
    bench = Bench(tmp_path, mill_package())
    bench.score(bench.mill("wt02", current=10.0), bench.mill("wt02", current=20.0))
    (summary,) = bench.scorer.take_summaries()
    assert (summary.turbine, summary.type) == ("wt02", MILL)
    assert summary.values == pytest.approx({"current": 15.0, "rotor": 20.1, "shaft": 20.0})
    bench.scorer.withdraw(MILL)
    bench.score(bench.mill("wt02"))
    assert bench.scorer.take_summaries() == []


def test_a_next_models_channels_are_summed_up_from_then_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, mill_package())
    bench.score(bench.mill("wt02"))
    more = tuple(ChannelSpec(name, "1") for name in (*MILL_CHANNELS, "door"))
    bench.scorer.serve(Detector(mill_package("1.1.0", channels=more)))
    bench.score(bench.mill("wt02"))
    before, after = bench.scorer.take_summaries()
    assert set(before.values) == set(MILL_CHANNELS)
    assert set(after.values) == {*MILL_CHANNELS, "door"}
