"""A recording, whatever file it comes from."""

from dataclasses import dataclass

from gustbed_twin.filters import Floats


@dataclass(frozen=True, slots=True)
class Recording:
    """One turbine's samples: ``values`` is (rows, channels), in the order of ``names``.

    ``rate_hz`` is None where the file does not say.
    """

    values: Floats
    type: str
    names: tuple[str, ...]
    rate_hz: float | None = None
