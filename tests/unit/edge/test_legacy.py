"""Uneven records become even blocks."""

from itertools import pairwise

import numpy as np
import pytest

from gustbed_core.errors import PayloadError
from gustbed_core.legacy import format_record, sample_as_mapping
from gustbed_core.telemetry import Samples
from gustbed_edge.inputs.legacy import MAX_DRIFT_SECONDS, LegacyReader
from tests.support.packages import PLACE, calm

RPS = PLACE["rps"]


def record(millis: int, rps: float = 1.0) -> bytes:
    sample = sample_as_mapping(calm(1)[:, 0]) | {"rps": rps}
    return format_record(millis, 900, sample).encode()


def blocks(reader: LegacyReader, *records: bytes) -> list[Samples]:
    return [block for data in records for block in reader.read(data)]


def test_uneven_records_are_read_off_a_straight_line() -> None:
    reader = LegacyReader("wt01", clock=lambda: 100.0)
    times = [0, 30, 55, 180, 181, 333, 480, 700]
    (block,) = blocks(reader, *[record(1000 + t, rps=t / 100) for t in times])
    assert (block.turbine, block.seq, block.dt, block.t0) == ("wt01", 0, 0.05, 100.0)
    np.testing.assert_allclose(block.values[RPS], np.arange(0, 500, 50) / 100, atol=0.01)


def test_successive_blocks_join() -> None:
    now = [100.0]
    reader = LegacyReader("wt01", clock=lambda: now[0])
    made = []
    for m in range(0, 5001, 500):
        now[0] = 100 + m / 1000
        made += reader.read(record(m, rps=m / 1000))
    assert [block.seq for block in made] == list(range(10))
    assert len({block.boot for block in made}) == 1
    for one, other in pairwise(made):
        assert other.t0 == pytest.approx(one.end + one.dt)
    joined = np.concatenate([block.values[RPS] for block in made])
    np.testing.assert_allclose(joined, np.arange(100) * 0.05, atol=0.011)


@pytest.mark.parametrize("after", [200, 10_000])
def test_a_restart_or_a_long_silence_begins_anew(after: int) -> None:
    reader = LegacyReader("wt01")
    before = blocks(reader, *[record(m) for m in range(1000, 2000, 50)])
    later = blocks(reader, *[record(m) for m in range(after, after + 600, 50)])
    assert later[0].boot != before[0].boot
    assert later[0].seq == 0


@pytest.mark.promise("T5")
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"Error: MPU not found", "wrong_fields"),
        (b"\xff\xfe", "malformed"),
        (b"x" * 2000, "oversized"),
        (record(0).replace(b"1.00", b"nan", 1), "non_finite"),
    ],
)
def test_bad_records_are_refused(payload: bytes, reason: str) -> None:
    with pytest.raises(PayloadError) as refused:
        LegacyReader("wt01").read(payload)
    assert refused.value.reason == reason


def test_the_same_record_twice_is_harmless() -> None:
    reader = LegacyReader("wt01")
    made = blocks(reader, *[record(m) for m in range(0, 1000, 50) for _ in range(2)])
    assert [block.seq for block in made] == [0, 1]


@pytest.mark.promise("P3")
@pytest.mark.parametrize("every_s", [0.5, 0.05, 0.005])
def test_a_replay_at_another_speed_keeps_to_the_wall_clock_and_is_counted(every_s: float) -> None:
    # The reference simulator sends two records a second that were made 50 ms apart.
    now = [1e9]
    reader = LegacyReader("wt01", clock=lambda: now[0])
    made = []
    for number in range(1000):
        now[0] += every_s
        for block in reader.read(record(1000 + 50 * number)):
            made.append(block)
            assert abs(now[0] - block.end) < MAX_DRIFT_SECONDS + 0.1
    # One signal all the same, at its own rate: a model needs a window without a seam.
    assert len({block.boot for block in made}) == 1
    assert [block.seq for block in made] == list(range(100))
    assert {block.dt for block in made} == {0.05}
    assert (reader.reanchored > 0) == (every_s != 0.05)
