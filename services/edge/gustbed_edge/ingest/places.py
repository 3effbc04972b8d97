"""Where each turbine's stream was, kept across restarts: what an edge missed of it is lost too."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from gustbed_edge.ingest.sequence import SequenceCounter

BOOTS = "boots"
SEQUENCES = "sequences"
"""Names of what is kept. The numbers change every second and are eight bytes a turbine; the boots,
with the turbines' names, hardly ever do.
"""
_KIND = np.dtype("<i8")


class Places:
    """The counters' places, in the order of ``turbines``, as bytes and back."""

    def __init__(self, turbines: Sequence[str], counters: Sequence[SequenceCounter]) -> None:
        self._turbines = tuple(turbines)
        self._counters = tuple(counters)

    def kept(self) -> Mapping[str, bytes]:
        """What is to be on disk together; nothing before the first block."""
        places = [counter.place for counter in self._counters]
        if not any(boot for boot, _ in places):
            return {}
        boots = dict(zip(self._turbines, (boot for boot, _ in places), strict=True))
        numbers = np.array([seq for _, seq in places], dtype=_KIND)
        return {BOOTS: msgspec.json.encode(boots), SEQUENCES: numbers.tobytes()}

    def resume(self, boots: bytes | None, sequences: bytes | None) -> None:
        """Let the counters go on where they were. What makes no sense is as good as nothing."""
        if boots is None or sequences is None:
            return
        try:
            known = msgspec.json.decode(boots, type=dict[str, str])
            numbers = np.frombuffer(sequences, dtype=_KIND).tolist()
        except ValueError:
            return
        if len(known) != len(numbers):
            return
        places = dict(zip(known, zip(known.values(), numbers, strict=True), strict=True))
        for turbine, counter in zip(self._turbines, self._counters, strict=True):
            boot, seq = places.get(turbine, ("", -1))
            if boot and seq >= 0:
                counter.resume(boot, seq)
