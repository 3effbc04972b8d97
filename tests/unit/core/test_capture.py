"""Captured values survive the wire, and what is none is refused."""

import base64
import zlib

import numpy as np
import pytest

from gustbed_core.capture import MAX_VALUES, pack, unpack
from gustbed_core.errors import PayloadError


def test_values_survive_the_wire() -> None:
    values = np.random.default_rng(1).normal(size=(3, 50)).astype(np.float32)
    assert np.array_equal(unpack(pack(values), 3), values)


@pytest.mark.promise("S5")
@pytest.mark.parametrize(
    "text",
    [
        "no base64!",
        base64.b64encode(b"not deflated").decode(),
        base64.b64encode(zlib.compress(bytes(7))).decode(),
        base64.b64encode(zlib.compress(bytes(12))[:-3]).decode(),
        base64.b64encode(zlib.compress(bytes(4 * MAX_VALUES + 12))).decode(),
    ],
    ids=["base64", "deflate", "length", "cut", "bomb"],
)
def test_what_was_not_packed_is_refused(text: str) -> None:
    with pytest.raises(PayloadError):
        unpack(text, 3)
