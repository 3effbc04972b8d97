"""What a twin beside a real turbine says: each minute, how far the turbine is from it."""

from dataclasses import dataclass, field

from gustbed_core.codec import decoder
from gustbed_core.events import AnomalyEvent

SCHEMA = 1
PREFIX = "mirror-"
"""Of the ids of a mirror's events, and of its model's name: nobody else's begin so."""
MAX_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class MirroredChannel:
    """Means over the time, in the channel's unit. ``z`` is the residual, measured minus expected,
    over how far a sound turbine is from its twin; ``judged`` the mean z of the last minutes, which
    is what events go by.
    """

    measured: float
    expected: float
    residual: float
    z: float
    judged: float | None = None


@dataclass(frozen=True, slots=True)
class Mirrored:
    """``gustbed/<site>/<turbine>/mirror``: a turbine and its twin over ``seconds`` up to ``t``
    (Unix seconds). ``type`` is the twin's, ``limit`` what ``judged`` may be either way, ``open``
    the ids of this mirror's events that are open now; their changes are told before.
    """

    turbine: str
    type: str
    t: float
    seconds: float
    channels: dict[str, MirroredChannel]
    schema: int = SCHEMA
    limit: float | None = None
    open: list[str] = field(default_factory=list)


decode_mirrored = decoder(Mirrored, MAX_BYTES)


def model_name(turbine_type: str) -> str:
    """What a mirror by a twin of that type is called in its events."""
    return f"{PREFIX}{turbine_type.replace('_', '-')}"


def is_mirrors(event: AnomalyEvent) -> bool:
    """Whether a mirror found it."""
    return event.id.startswith(PREFIX) and event.model.name.startswith(PREFIX)
