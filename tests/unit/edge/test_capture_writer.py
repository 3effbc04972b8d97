"""Captures are packed within a day's bytes, each sort's its own, and a message's size."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gustbed_core.capture import Capture, unpack
from gustbed_core.codec import decoder
from gustbed_core.events import ModelRef
from gustbed_core.package import Distribution
from gustbed_edge.capture import writer as capture_writer
from gustbed_edge.capture.budgets import SHARES, Sort, budget
from gustbed_edge.capture.capturer import Judged, Stretch
from gustbed_edge.capture.regimes import BINS, FEWEST, MOST, SCORE, Regimes
from gustbed_edge.capture.writer import (
    DAY,
    MAX_CAPTURE_BYTES,
    WAITING,
    CaptureWriter,
    encoded,
)
from tests.support.packages import tiny_package
from tests.support.ports import wait_until

MODEL = ModelRef("tiny", "1.0.0")


def stretch_of(samples: int, channels: int = 3, **changes: Any) -> Stretch:
    """A stretch of noise, which does not deflate."""
    made = Stretch(
        "wt01", "mini", "b", 1000.0, 0.5, tuple(f"c{i}" for i in range(channels)), MODEL,
        "sample", samples,
    )  # fmt: skip
    made.add(np.random.default_rng(4).normal(size=(channels, samples)))
    kinds = ((), ("voltage",), ("rotation", "voltage"))
    made.judged = [Judged(i + 1, i / 7, i % 3 == 0, kinds[i % 3]) for i in range(samples)]
    for name, value in changes.items():
        setattr(made, name, value)
    return made


decode: Callable[[bytes], Capture] = decoder(Capture)


def test_what_is_packed_is_what_was_drawn() -> None:
    stretch = stretch_of(50, commissioning="wt01-2")
    (capture,) = map(decode, encoded(stretch))
    assert (capture.turbine, capture.type, capture.boot) == ("wt01", "mini", "b")
    assert (capture.t0, capture.dt, capture.channels) == (1000.0, 0.5, ["c0", "c1", "c2"])
    np.testing.assert_array_equal(unpack(capture.values, 3), stretch.parts[0].astype("f4"))
    assert capture.scores == [round(i / 7, 5) for i in range(50)]
    assert (capture.anomalies, capture.model, capture.reason) == (17, MODEL, "sample")
    assert (capture.violations, capture.commissioning) == (["rotation", "voltage"], "wt01-2")


def test_a_large_stretch_is_split_into_captures_that_follow_each_other() -> None:
    stretch = stretch_of(3001, channels=60)
    payloads = encoded(stretch)
    assert len(payloads) > 2
    assert max(map(len, payloads)) <= MAX_CAPTURE_BYTES
    captures = [decode(payload) for payload in payloads]
    parts = [unpack(capture.values, 60) for capture in captures]
    np.testing.assert_array_equal(
        np.concatenate(parts, axis=1), stretch.parts[0].astype(np.float32)
    )
    for part, this, following in zip(parts, captures, captures[1:], strict=False):
        assert following.t0 == this.t0 + part.shape[1] * 0.5
        assert len(this.scores) == part.shape[1]
    assert sum(len(capture.scores) for capture in captures) == 3001
    assert sum(capture.anomalies for capture in captures) == 1001


class Writer:
    """A writer whose clock a test sets and whose captures are collected."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.now = 5 * DAY + 100.0
        self.kept: list[bytes] = []
        self.writer = CaptureWriter(
            folder, self.kept.extend, max_bytes_per_day=limit, clock=lambda: self.now
        )


def calm_stretch(**changes: Any) -> Stretch:
    """Of which no verdict was an anomaly."""
    return stretch_of(50, **{"judged": [Judged(50, 0.3, False)], **changes})


SIZE = len(encoded(stretch_of(50))[0])


def test_a_days_bytes_are_kept_and_it_is_said_when_they_are_spent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = Writer(tmp_path, 10 * SIZE)
    for _ in range(4):
        one.writer.write(stretch_of(50))
    assert one.writer.status() == {
        "captures": {"sample": 2, "dropped": 2},
        "bytes_today": 2 * SIZE,
        "bytes_by_sort": {"calm": 0, "alarmed": 2 * SIZE, "rare": 0, "event": 0},
        "max_bytes_per_day": 10 * SIZE,
        "stopped": True,
        "full": ["alarmed"],
    }
    (line,) = caplog.messages
    assert line.startswith(f"alarmed captures stop until tomorrow: {budget('alarmed', 10 * SIZE)} ")
    one.writer.write(calm_stretch())
    one.writer.write(stretch_of(50, reason="event"))
    # What is drawn from now on is no fair sample: those with an anomaly are missing.
    assert [decode(payload).fair for payload in one.kept] == [True, True, False, False]
    assert one.writer.today == sum(map(len, one.kept))
    one.now += DAY
    assert one.writer.status()["stopped"] is False
    one.writer.write(stretch_of(50))
    assert one.writer.today == SIZE
    assert decode(one.kept[-1]).fair


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(("calm", "alarmed", "event")), max_size=30), st.integers(0, 30 * SIZE)
)
def test_whatever_comes_no_sort_takes_anothers_bytes(sorts: list[Sort], limit: int) -> None:
    """A sort is refused only once its own bytes are spent, and all stay within the day's."""
    made = {"calm": calm_stretch(), "alarmed": stretch_of(50)}
    made["event"] = stretch_of(50, reason="event")
    with TemporaryDirectory() as folder:
        one = Writer(Path(folder), limit)
        for sort in sorts:
            before, count = one.writer.today_by_sort, len(one.kept)
            one.writer.write(made[sort])
            size = sum(map(len, one.kept[count:]))
            assert one.writer.today_by_sort == {**before, sort: before[sort] + size}
            largest = len(encoded(made[sort], fair=False)[0])
            assert size > 0 or before[sort] + largest > budget(sort, limit)
        assert one.writer.today == sum(map(len, one.kept)) <= limit
        assert all(one.writer.today_by_sort[sort] <= budget(sort, limit) for sort in SHARES)


def test_all_of_a_days_bytes_are_somebodys() -> None:
    assert sum(SHARES.values()) == pytest.approx(1.0)
    assert min(SHARES.values()) > 0


def referenced(voltage: float) -> Stretch:
    """Calm data of the tiny package about a voltage, which its manifest knows from 0 to 100."""
    learnt = Distribution(50.0, 30.0, [10.0 * i for i in range(11)])
    manifest = tiny_package(reference={"voltage": learnt}).manifest
    made = calm_stretch(manifest=manifest)
    rows = np.zeros((len(manifest.channels), 50))
    rows[manifest.channel_names.index("voltage")] = voltage
    made.parts = [rows]
    return made


def test_what_was_seldom_captured_has_bytes_of_its_own_until_it_is_not(tmp_path: Path) -> None:
    one = Writer(tmp_path, 10**9)
    for _ in range(FEWEST):
        one.writer.write(referenced(45.0))
    assert one.writer.today_by_sort["rare"] == 0
    one.writer.write(referenced(150.0))
    assert one.writer.today_by_sort["rare"] > 0, "beyond all that was captured"
    restarted = Writer(tmp_path, 10**9)
    rare = restarted.writer.today_by_sort["rare"]
    restarted.writer.write(referenced(45.0))
    assert restarted.writer.today_by_sort["rare"] == rare, "known since before the restart"
    for _ in range(2 * FEWEST):
        restarted.writer.write(referenced(150.0))
    assert one.writer.today_by_sort["rare"] == rare
    assert restarted.writer.today_by_sort["calm"] > one.writer.today_by_sort["calm"] + rare


def test_regimes_forget_what_is_long_ago_and_stay_small() -> None:
    regimes = Regimes({"mini": {"voltage": [1, 2], SCORE: [0] * BINS}})
    assert "voltage" not in regimes.counts["mini"], "of another version"
    for _ in range(2 * MOST):
        regimes.add("mini", {"voltage": 3})
    assert list(regimes.counts["mini"]) == ["voltage"]
    assert sum(regimes.counts["mini"]["voltage"]) <= MOST
    assert regimes.rare("mini", {"voltage": 4})
    assert not regimes.rare("mini", {"voltage": 3})
    assert not regimes.rare("mill", {"voltage": 4}), "nothing is known of it"


def test_the_days_count_outlives_a_restart_and_a_spoilt_file(tmp_path: Path) -> None:
    one = Writer(tmp_path, 10 * SIZE)
    one.writer.write(stretch_of(50))
    assert Writer(tmp_path, 10 * SIZE).writer.today_by_sort["alarmed"] == SIZE
    (tmp_path / capture_writer.FILE).write_bytes(b"{")
    assert Writer(tmp_path, 10 * SIZE).writer.today == 0


def test_a_disk_that_refuses_the_count_stops_nothing(tmp_path: Path) -> None:
    one = Writer(tmp_path / "missing", 10 * SIZE)
    one.writer.write(stretch_of(50))
    assert len(one.kept) == 1


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Writer]:
    one = Writer(tmp_path, 10**9)
    yield one
    one.writer.stop(30)


def test_stretches_are_packed_in_the_background(running: Writer) -> None:
    running.writer.start()
    for _ in range(3):
        running.writer.put(stretch_of(50))
    wait_until(lambda: len(running.kept) == 3, "all are packed")


def test_a_stretch_that_cannot_be_packed_does_not_end_it(
    running: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    running.writer.start()
    running.writer.put(stretch_of(50, parts=[]))
    running.writer.put(stretch_of(50))
    wait_until(lambda: len(running.kept) == 1, "the good one is packed")
    assert "a capture of wt01 failed" in caplog.text


def test_more_than_can_wait_is_dropped_and_counted_and_put_never_blocks(tmp_path: Path) -> None:
    one = Writer(tmp_path, 10**9)

    def put() -> None:
        for _ in range(WAITING + 4):
            one.writer.put(stretch_of(5))

    putting = threading.Thread(target=put)
    putting.start()
    putting.join(30)
    assert not putting.is_alive()
    assert one.writer.counts == {"dropped": 4}
    one.writer.start()
    wait_until(lambda: len(one.kept) == WAITING, "what waited is packed")
    one.writer.stop(30)
