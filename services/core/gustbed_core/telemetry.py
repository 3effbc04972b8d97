"""The telemetry block: some hundreds of milliseconds of one turbine, column by column."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.codec import decoder
from gustbed_core.errors import PayloadError

SCHEMA = 1
MINI = "mini"
"""The turbine type of a block that names none: older senders are miniatures."""


@dataclass(frozen=True, slots=True)
class Block:
    """One turbine's samples, evenly spaced.

    ``boot`` is a UUID of the source's start, ``seq`` counts blocks from 0 within a boot,
    ``t0`` is the first sample's Unix time in seconds, ``dt`` the sample spacing in seconds.
    ``type`` names the turbine type, whose channels are the columns.
    """

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
    """A checked block. ``values`` has shape (channels, samples), in the order of ``names``."""

    turbine: str
    boot: str
    seq: int
    t0: float
    dt: float
    values: NDArray[np.float64]
    type: str
    names: tuple[str, ...]

    @property
    def end(self) -> float:
        """Unix time of the last sample, in seconds."""
        return self.t0 + self.dt * (int(self.values.shape[1]) - 1)


_decode = decoder(Block)


def block_from_samples(samples: Samples) -> Block:
    """Build the wire form."""
    return Block(
        SCHEMA,
        samples.turbine,
        samples.boot,
        samples.seq,
        samples.t0,
        samples.dt,
        dict(zip(samples.names, samples.values.tolist(), strict=True)),
        samples.type,
    )


def check_block(block: Block) -> Samples:
    """Check a block and turn it into an array; columns stay in the order in which they came.

    Raises ``PayloadError`` with reason ``wrong_schema``, ``wrong_fields`` or ``non_finite``.
    """
    if block.schema != SCHEMA:
        raise PayloadError("wrong_schema", f"schema {block.schema}, this release reads {SCHEMA}")
    lengths = {len(column) for column in block.columns.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise PayloadError("wrong_fields", "columns must be of one length, at least 1")
    if block.seq < 0 or not block.boot:
        raise PayloadError("wrong_fields", "seq must be 0 or more, and boot not empty")
    values = np.array(list(block.columns.values()), dtype=np.float64)
    if not (np.isfinite(values).all() and np.isfinite((block.t0, block.dt)).all()):
        raise PayloadError("non_finite", "NaN or infinity in the block")
    if block.dt <= 0:
        raise PayloadError("wrong_fields", f"dt must be above 0, not {block.dt}")
    names = tuple(block.columns)
    return Samples(
        block.turbine, block.boot, block.seq, block.t0, block.dt, values, block.type, names
    )


def decode_block(payload: bytes) -> Samples:
    """Read a block of any turbine type, in either encoding. Raises ``PayloadError``."""
    return check_block(_decode(payload))
