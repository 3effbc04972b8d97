"""The telemetry block keeps its contract."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gustbed_core.codec import MAX_PAYLOAD_BYTES, Encoding, encode
from gustbed_core.errors import PayloadError
from gustbed_core.telemetry import MINI, Block, Samples, block_from_samples, decode_block

NAMES = ("rps", "voltage", "gas")


def samples(count: int = 10) -> Samples:
    values = np.random.default_rng(1).normal(size=(len(NAMES), count))
    return Samples("wt01", "boot", 3, 1_700_000_000.0, 0.05, values, "pump", NAMES)


def wire(**changes: object) -> bytes:
    return encode(replace(block_from_samples(samples()), **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_block_survives_the_wire_bit_for_bit(encoding: Encoding) -> None:
    sent = samples()
    received = decode_block(encode(block_from_samples(sent), encoding))
    assert np.array_equal(received.values, sent.values)
    assert (received.turbine, received.boot, received.seq) == ("wt01", "boot", 3)
    assert (received.type, received.names) == ("pump", NAMES)
    assert received.end == pytest.approx(1_700_000_000.45)


def test_the_schema_of_the_wire_is_pinned() -> None:
    fields = ["schema", "turbine", "boot", "seq", "t0", "dt", "columns", "type"]
    assert list(json.loads(wire())) == fields
    assert json.loads(wire())["schema"] == 1


def columns(**changes: list[float]) -> dict[str, list[float]]:
    return {**block_from_samples(samples()).columns, **changes}


@pytest.mark.promise("T5")
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"not json", "malformed"),
        (b"", "malformed"),
        (b'{"schema": 1', "malformed"),
        (wire().replace(b'"dt":0.05', b'"dt":NaN'), "non_finite"),
        (wire(schema=2), "wrong_schema"),
        (wire(seq=-1), "wrong_fields"),
        (wire(dt=0.0), "wrong_fields"),
        (wire(columns=columns(rps=[1.0])), "wrong_fields"),
        (wire(columns={}), "wrong_fields"),
        (wire(columns=columns(rps=["a"] * 10)), "wrong_fields"),  # type: ignore[list-item]
        (b"{" + b" " * MAX_PAYLOAD_BYTES + b"}", "oversized"),
    ],
)
def test_a_bad_block_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(PayloadError) as caught:
        decode_block(payload)
    assert caught.value.reason == reason


@pytest.mark.promise("T5")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_msgpack_cannot_smuggle_in_what_json_cannot_say(bad: float) -> None:
    block: Block = replace(block_from_samples(samples()), columns=columns(rps=[bad] * 10))
    with pytest.raises(PayloadError) as caught:
        decode_block(encode(block, Encoding.MSGPACK))
    assert caught.value.reason == "non_finite"


@pytest.mark.promise("S5")
@given(st.binary(max_size=400))
def test_no_bytes_whatever_raise_anything_but_a_payload_error(payload: bytes) -> None:
    with pytest.raises(PayloadError):
        decode_block(payload)


def test_a_block_that_names_no_type_is_a_miniatures() -> None:
    block = json.loads(wire())
    del block["type"]
    assert decode_block(json.dumps(block).encode()).type == MINI
