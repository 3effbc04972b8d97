"""What commissioning sees of its site."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gustbed_core.commissioning.messages import CommissionAck
from gustbed_core.errors import PayloadError
from gustbed_core.event_kinds import EventKind
from gustbed_edge.commissioning.desk import Presence


@dataclass(frozen=True)
class Site:
    """Every callable may be called by any thread.

    ``look`` and ``open_kinds`` are of a turbine's row; ``answer`` publishes, ``reject`` puts a
    payload into quarantine.
    """

    turbines: Sequence[str]
    look: Callable[[int], Presence]
    open_kinds: Callable[[int], list[EventKind]]
    answer: Callable[[CommissionAck], None]
    reject: Callable[[str, bytes, PayloadError], None]
