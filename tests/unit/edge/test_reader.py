"""Every kind of bad payload is refused with its own reason; good ones in either encoding pass."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gustbed_core import codec, topics
from gustbed_core.errors import PayloadError
from gustbed_core.telemetry import Samples, block_from_samples
from gustbed_edge.disk import Disk
from gustbed_edge.ingest.quarantine import (
    FILE,
    KEPT_BYTES,
    MAX_FILE_BYTES,
    MAX_PER_SECOND,
    Quarantine,
)
from gustbed_edge.ingest.queue import Received
from gustbed_edge.ingest.reader import BlockReader, Requirements
from gustbed_edge.ingest.receiver import BlockReceiver
from tests.support.packages import calm, mini_block

NOW = 1_700_000_000.0
TOPIC = topics.telemetry("s", "wt01")


def block(**changes: Any) -> dict[str, Any]:
    samples = mini_block("wt01", "boot", 3, NOW - 1, 0.05, calm())
    return asdict(block_from_samples(samples)) | changes


def make_reader() -> BlockReader:
    made = BlockReader("s", ["wt01", "wt02"], max_clock_ahead=60.0, clock=lambda: NOW)
    made.requirements["mini"] = Requirements(20.0, ("rps",))
    return made


def columns(**changes: Any) -> dict[str, Any]:
    return {**block()["columns"], **changes}


BAD: dict[str, tuple[str, bytes]] = {
    "broken JSON": ("malformed", b'{"schema": 1, "turb'),
    "no object": ("malformed", b"[1, 2]"),
    "empty": ("malformed", b""),
    "binary": ("malformed", bytes(range(256))),
    "deep": ("malformed", b'{"a":' * 5000),
    "not a number": ("non_finite", json.dumps(block(t0=float("nan"))).encode()),
    "infinite": (
        "non_finite",
        json.dumps(block(columns=columns(rps=[float("inf")] * 10))).encode(),
    ),
    "infinite in MessagePack": (
        "non_finite",
        codec.encode(block(columns=columns(rps=[float("inf")] * 10)), codec.Encoding.MSGPACK),
    ),
    "ten megabytes": ("oversized", b"{" + b" " * 10 * 1024 * 1024),
    "unknown schema": ("wrong_schema", codec.encode(block(schema=2))),
    "missing column": ("wrong_fields", codec.encode(block(columns={"voltage": [1.0]}))),
    "no column": ("wrong_fields", codec.encode(block(columns={}))),
    "uneven columns": ("wrong_fields", codec.encode(block(columns=columns(rps=[1.0])))),
    "text for number": ("wrong_fields", codec.encode(block(seq="3"))),
    "negative number": ("wrong_fields", codec.encode(block(seq=-1))),
    "enormous number": ("wrong_fields", codec.encode(block(seq=2**60))),
    "no spacing": ("wrong_fields", codec.encode(block(dt=0.0))),
    "no boot": ("wrong_fields", codec.encode(block(boot=""))),
    "before all time": ("wrong_fields", codec.encode(block(t0=-5.0))),
    "another turbine's": ("wrong_turbine", codec.encode(block(turbine="wt02"))),
    "clock in the future": ("future_clock", codec.encode(block(t0=NOW + 61))),
    "clock a day behind": ("past_clock", codec.encode(block(t0=NOW - 86_401 - 0.45))),
    "no clock": ("past_clock", codec.encode(block(t0=0.0))),
    "absurd value": ("out_of_range", codec.encode(block(columns=columns(rps=[-2e12] + [0.0] * 9)))),
    "absurd value in MessagePack": (
        "out_of_range",
        codec.encode(block(columns=columns(gas=[1e300] * 10)), codec.Encoding.MSGPACK),
    ),
    "another rate": ("wrong_rate", codec.encode(block(dt=0.1))),
}


@pytest.mark.promise("T5")
@pytest.mark.parametrize("case", BAD)
def test_a_bad_payload_is_refused_with_its_reason(case: str) -> None:
    reason, payload = BAD[case]
    with pytest.raises(PayloadError) as refused:
        make_reader().read(TOPIC, payload)
    assert refused.value.reason == reason


@pytest.mark.promise("T5")
def test_an_unknown_turbine_is_refused() -> None:
    with pytest.raises(PayloadError) as refused:
        make_reader().read(topics.telemetry("s", "wt09"), codec.encode(block(turbine="wt09")))
    assert refused.value.reason == "unknown_turbine"


@pytest.mark.parametrize("encoding", codec.Encoding)
def test_a_good_block_passes_in_either_encoding(encoding: codec.Encoding) -> None:
    samples = make_reader().read(TOPIC, codec.encode(block(), encoding))
    assert (samples.turbine, samples.seq) == ("wt01", 3)
    np.testing.assert_array_equal(samples.values, calm())


def test_a_clock_a_little_ahead_is_no_fault() -> None:
    make_reader().read(TOPIC, codec.encode(block(t0=NOW + 30)))


def test_a_clock_some_hours_behind_is_no_fault_and_the_bound_can_be_set() -> None:
    late = codec.encode(block(t0=NOW - 80_000))
    make_reader().read(TOPIC, late)
    strict = BlockReader(
        "s", ["wt01"], max_clock_ahead=60.0, max_clock_behind=100.0, clock=lambda: NOW
    )
    with pytest.raises(PayloadError) as refused:
        strict.read(TOPIC, late)
    assert refused.value.reason == "past_clock"


def test_many_large_values_are_no_absurd_value() -> None:
    values = np.full((len(columns()), 400), 0.9e12)
    samples = mini_block("wt01", "boot", 3, NOW - 30, 0.05, values)
    make_reader().read(TOPIC, codec.encode(block_from_samples(samples)))


def test_an_absurd_value_is_named() -> None:
    with pytest.raises(PayloadError, match="voltage: 3e\\+12"):
        make_reader().read(TOPIC, codec.encode(block(columns=columns(voltage=[1.0] * 9 + [3e12]))))


def test_a_type_without_a_model_may_have_any_channels_and_rate() -> None:
    block = Samples("wt01", "b", 0, NOW, 7.0, np.ones((1, 2)), "mill", ("x",))
    reader = make_reader()
    reader.read(TOPIC, codec.encode(block_from_samples(block)))
    reader.requirements["mill"] = Requirements(1 / 7, ("x", "y"))
    with pytest.raises(PayloadError, match=r"\['y'\]"):
        reader.read(TOPIC, codec.encode(block_from_samples(block)))


def test_without_a_model_any_rate_will_do() -> None:
    reader = make_reader()
    reader.requirements.clear()
    reader.read(TOPIC, codec.encode(block(dt=0.5)))


@pytest.mark.promise("T5")
def test_the_quarantine_keeps_reason_topic_and_beginning(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, clock=lambda: NOW)
    quarantine.reject(TOPIC, b"\xff" + b"x" * 1000, PayloadError("malformed", "why"))
    quarantine.turn()
    entry = json.loads((tmp_path / FILE).read_text())
    assert (entry["reason"], entry["topic"], entry["t"]) == ("malformed", TOPIC, NOW)
    assert entry["size"] == 1001
    assert entry["payload"] == "\\xff" + "x" * (KEPT_BYTES - 1)


def test_the_quarantine_is_bounded_and_counts_everything(tmp_path: Path) -> None:
    second = 0.0

    def clock() -> float:
        return second

    quarantine = Quarantine(tmp_path, clock)
    floods = 400
    for _ in range(floods):
        second += 1.0
        for _ in range(MAX_PER_SECOND + 5):
            quarantine.reject(TOPIC, b"x" * 1000, PayloadError("malformed", "y" * 1000))
        quarantine.turn()
    assert quarantine.counts["malformed"] == floods * (MAX_PER_SECOND + 5)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [FILE, f"{FILE}.1"]
    assert all(path.stat().st_size <= MAX_FILE_BYTES for path in tmp_path.iterdir())
    assert all(json.loads(line) for line in (tmp_path / FILE).read_text().splitlines())


def test_a_flood_within_a_second_is_counted_but_not_all_written(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, clock=lambda: NOW)
    for _ in range(3 * MAX_PER_SECOND):
        quarantine.reject(TOPIC, b"x", PayloadError("malformed", "why"))
    quarantine.turn()
    assert quarantine.counts["malformed"] == 3 * MAX_PER_SECOND
    assert len((tmp_path / FILE).read_text().splitlines()) == MAX_PER_SECOND


@pytest.mark.promise("T8")
def test_what_a_disk_refuses_is_counted_told_and_written_later(tmp_path: Path) -> None:
    folder, disk = tmp_path / "missing", Disk()
    quarantine = Quarantine(folder, clock=lambda: NOW, disk=disk)
    quarantine.reject(TOPIC, b"x", PayloadError("malformed", "why"))
    quarantine.turn()
    assert quarantine.counts["malformed"] == 1
    (reason,) = disk.reasons()
    assert str(folder / FILE) in reason
    folder.mkdir()
    quarantine.turn()
    assert disk.reasons() == []
    assert json.loads((folder / FILE).read_text())["reason"] == "malformed"


def test_a_turbine_s_refusal_is_told_until_a_block_of_it_is_taken(tmp_path: Path) -> None:
    receiver = BlockReceiver(make_reader(), Quarantine(tmp_path))
    ahead, good = codec.encode(block(t0=NOW + 131)), codec.encode(block())
    stranger = topics.telemetry("s", "wt09")
    receiver.take([Received(TOPIC, ahead, 0.0), Received(stranger, good, 0.0)])
    assert receiver.refused == [
        "131 s ahead of the edge's clock (GUSTBED_EDGE_MAX_CLOCK_AHEAD)", "",
    ]  # fmt: skip
    receiver.take([Received(TOPIC, good, 0.0)])
    assert receiver.refused == ["", ""]
