"""What a twin beside a real turbine says: each minute, how far the turbine is from it."""

from dataclasses import dataclass

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class MirroredChannel:
    """Means over the time, in the channel's unit. ``z`` is the residual, measured minus expected,
    over how far a sound turbine is from its twin.
    """

    measured: float
    expected: float
    residual: float
    z: float


@dataclass(frozen=True, slots=True)
class Mirrored:
    """``gustbed/<site>/<turbine>/mirror``: a turbine and its twin over ``seconds`` up to ``t``
    (Unix seconds). ``type`` is the twin's.
    """

    turbine: str
    type: str
    t: float
    seconds: float
    channels: dict[str, MirroredChannel]
    schema: int = SCHEMA
