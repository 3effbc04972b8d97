"""The telemetry block: some hundreds of milliseconds of one turbine, column by column."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gustbed_core.channels import CHANNEL_NAMES
from gustbed_core.codec import decoder
from gustbed_core.errors import PayloadError

SCHEMA = 1
MINI = "mini"
"""The turbine type of a block that names none."""


@dataclass(frozen=True, slots=True)
class Block:
    """One turbine's samples, evenly spaced.

    ``boot`` is a UUID of the source's start, ``seq`` counts blocks from 0 within a boot,
    ``t0`` is the first sample's Unix time in seconds, ``dt`` the sample spacing in seconds.
    """

    schema: int
    turbine: str
    boot: str
    seq: int
    t0: float
    dt: float
    columns: dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class TypedBlock:
    """A block of a turbine of another type than the miniature, with that type's channels."""

    schema: int
    turbine: str
    boot: str
    seq: int
    t0: float
    dt: float
    columns: dict[str, list[float]]
    type: str = MINI


@dataclass(frozen=True, slots=True)
class Samples:
    """A checked block. ``values`` has shape (channels, samples), in the order of ``names``.

    ``names`` is ``CHANNEL_NAMES`` for type ``mini``.
    """

    turbine: str
    boot: str
    seq: int
    t0: float
    dt: float
    values: NDArray[np.float64]
    type: str = MINI
    names: tuple[str, ...] = field(default=CHANNEL_NAMES)

    @property
    def end(self) -> float:
        """Unix time of the last sample, in seconds."""
        return self.t0 + self.dt * (int(self.values.shape[1]) - 1)


_decode = decoder(TypedBlock)


def block_from_samples(samples: Samples) -> Block | TypedBlock:
    """Build the wire form. A miniature's block does not name its type."""
    columns = dict(zip(samples.names, samples.values.tolist(), strict=True))
    common = (SCHEMA, samples.turbine, samples.boot, samples.seq, samples.t0, samples.dt, columns)
    return Block(*common) if samples.type == MINI else TypedBlock(*common, samples.type)


def check_block(block: Block | TypedBlock) -> Samples:
    """Check a block and turn it into an array.

    Raises ``PayloadError`` with reason ``wrong_schema``, ``wrong_fields`` or ``non_finite``.
    """
    kind = block.type if isinstance(block, TypedBlock) else MINI
    if block.schema != SCHEMA:
        raise PayloadError("wrong_schema", f"schema {block.schema}, this release reads {SCHEMA}")
    if kind == MINI and block.columns.keys() != set(CHANNEL_NAMES):
        raise PayloadError("wrong_fields", _column_difference(block.columns))
    names = CHANNEL_NAMES if kind == MINI else tuple(block.columns)
    lengths = {len(column) for column in block.columns.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise PayloadError("wrong_fields", "columns must be of one length, at least 1")
    if block.seq < 0 or not block.boot:
        raise PayloadError("wrong_fields", "seq must be 0 or more, and boot not empty")
    values = np.array([block.columns[name] for name in names], dtype=np.float64)
    if not (np.isfinite(values).all() and np.isfinite((block.t0, block.dt)).all()):
        raise PayloadError("non_finite", "NaN or infinity in the block")
    if block.dt <= 0:
        raise PayloadError("wrong_fields", f"dt must be above 0, not {block.dt}")
    return Samples(block.turbine, block.boot, block.seq, block.t0, block.dt, values, kind, names)


def decode_typed_block(payload: bytes) -> Samples:
    """Read a block of any turbine type, in either encoding. Raises ``PayloadError``."""
    return check_block(_decode(payload))


def decode_block(payload: bytes) -> Samples:
    """Read a miniature's block, in either encoding.

    Raises ``PayloadError``, with reason ``other_type`` for a turbine of another type: whoever
    reads channels by their place must not be given others.
    """
    samples = decode_typed_block(payload)
    if samples.type != MINI:
        raise PayloadError("other_type", f"a block of type {samples.type!r}, not {MINI!r}")
    return samples


def _column_difference(columns: Iterable[str]) -> str:
    given = set(columns)
    missing = sorted(set(CHANNEL_NAMES) - given)
    unknown = sorted(given - set(CHANNEL_NAMES))[:5]
    return f"missing columns {missing or 'none'}, unknown columns {unknown or 'none'}"
