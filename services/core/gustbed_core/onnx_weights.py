"""Whether every number in an ONNX graph is finite, without the ONNX library.

Gateways and Lambda-sized tools have no ONNX library, and the runtime tells nothing of weights. The
graph is a protocol buffer, of which this reads the tensors alone: initialisers and constants, those
of nested graphs and functions too. What it cannot read, it refuses.

Source: onnx/onnx.proto3 of ONNX, and the protocol buffers' encoding guide.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

MAX_DEPTH = 32
"""Of messages within each other: some ten graphs."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FLOAT, _FLOAT16, _DOUBLE, _BFLOAT16 = 1, 10, 11, 16
_NO_FLOATS = frozenset({2, 3, 4, 5, 6, 7, 8, 9, 12, 13})
"""Integers of all widths, strings and booleans."""
Field = tuple[int, int, memoryview]


class WeightsError(ValueError):
    """A graph with a number that is not finite, or one that cannot be read."""


def check_weights(model: bytes) -> None:
    """Raises ``WeightsError`` naming the first tensor that is not finite or not readable."""
    try:
        _walk(memoryview(model), _MODEL, 0)
    except (IndexError, ValueError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"not a readable graph: {error}") from error


Visit = Callable[[memoryview, int], None]


def _walk(message: memoryview, visits: "dict[int, Visit]", depth: int) -> None:
    if depth > MAX_DEPTH:
        raise WeightsError("too many graphs within each other")
    for number, wire, value in _fields(message):
        if number in visits:
            if wire != _BYTES:
                raise WeightsError(f"field {number} is not what it should be")
            visits[number](value, depth + 1)


def _graph(message: memoryview, depth: int) -> None:
    _walk(message, _GRAPH, depth)


def _function(message: memoryview, depth: int) -> None:
    _walk(message, {7: _node, 11: _attribute}, depth)


def _node(message: memoryview, depth: int) -> None:
    _walk(message, {5: _attribute}, depth)


def _sparse(message: memoryview, depth: int) -> None:
    _walk(message, {1: _tensor}, depth)


def _attribute(message: memoryview, depth: int) -> None:
    """Floats of its own, tensors and graphs."""
    name = ""
    for number, wire, value in _fields(message):
        if number == 1 and wire == _BYTES:
            name = _text(value)
        elif number in (2, 7):
            _require_finite(np.frombuffer(value, "<f4"), f"attribute {name!r}")
    _walk(message, _ATTRIBUTE, depth)


def _tensor(message: memoryview, _depth: int) -> None:
    name, kind, data = "", 0, list[tuple[int, int, memoryview]]()
    for number, wire, value in _fields(message):
        if number == 2 and wire == _VARINT:
            kind = _number(value)
        elif number == 8 and wire == _BYTES:
            name = _text(value)
        elif number == 13 or (number == 14 and _number(value) != 0):
            raise WeightsError(f"weights {name!r} lie outside the package")
        elif number in (4, 5, 9, 10):
            data.append((number, wire, value))
    title = f"weights {name!r}"
    if kind in _NO_FLOATS:
        return
    if kind not in (_FLOAT, _FLOAT16, _DOUBLE, _BFLOAT16):
        raise WeightsError(f"{title} are of a type that is not supported ({kind})")
    for number, wire, value in data:
        _require_finite(_values(kind, number, wire, value), title)


def _values(kind: int, number: int, wire: int, value: memoryview) -> NDArray[np.floating]:
    if number == 4:
        return np.frombuffer(value, "<f4")
    if number == 10:
        return np.frombuffer(value, "<f8")
    if number == 5:
        # Half-precision numbers' bits, as integers.
        bits = np.array(list(_varints(value)) if wire == _BYTES else [_number(value)])
        raw = bits.astype(np.uint16)
    elif kind in (_FLOAT, _DOUBLE):
        return np.frombuffer(value, "<f4" if kind == _FLOAT else "<f8")
    else:
        raw = np.frombuffer(value, "<u2")
    if kind == _FLOAT16:
        return raw.view(np.float16)
    return (raw.astype(np.uint32) << 16).view(np.float32)


def _require_finite(values: NDArray[np.floating], title: str) -> None:
    if not np.isfinite(values).all():
        raise WeightsError(f"{title} are not finite")


def _fields(message: memoryview) -> Iterator[Field]:
    """Number, wire type and content of each field; a varint's content is its bytes."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        start = place
        if wire == _VARINT:
            _, place = _varint(message, place)
        elif wire == _BYTES:
            length, start = _varint(message, place)
            place = start + length
        elif wire in (_FIXED64, _FIXED32):
            place += 8 if wire == _FIXED64 else 4
        else:
            raise WeightsError(f"wire type {wire} at byte {start}")
        if number == 0 or place > len(message):
            raise WeightsError(f"cut off at byte {start}")
        yield number, wire, message[start:place]


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number, and where the next begins."""
    number = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & 0xFFFF_FFFF_FFFF_FFFF, place
    raise WeightsError("a number of more than 10 bytes")


def _varints(message: memoryview) -> Iterator[int]:
    place = 0
    while place < len(message):
        number, place = _varint(message, place)
        yield number & 0xFFFF


def _number(value: memoryview) -> int:
    return _varint(value, 0)[0] if len(value) else 0


def _text(value: memoryview) -> str:
    return bytes(value[:60]).decode("utf-8", "replace")


_ATTRIBUTE: dict[int, Visit] = {
    5: _tensor, 6: _graph, 10: _tensor, 11: _graph, 22: _sparse, 23: _sparse,
}  # fmt: skip
_GRAPH: dict[int, Visit] = {1: _node, 5: _tensor, 15: _sparse}
_MODEL: dict[int, Visit] = {7: _graph, 25: _function}
