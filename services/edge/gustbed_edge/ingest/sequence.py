"""Sequence tracking per turbine: what was lost, came twice or came late."""

from enum import Enum

HISTORY = 64
"""How many sequence numbers back a late block is told from a duplicate."""
RETURNS = 3
"""Blocks in a row of the boot before that show it is not over, but the one that came between."""


class Arrival(Enum):
    """What a block's number says about its place in the stream."""

    NEXT = "next"
    """Follows the last one."""
    GAP = "gap"
    """The first one known, after a loss, or of a new boot: what came before is not adjacent."""
    STALE = "stale"
    """A duplicate or late: it has no place in the window any more."""


class SequenceCounter:
    """One turbine's counters. ``lost`` shrinks again when a missing block comes late."""

    __slots__ = (
        "_boot",
        "_highest",
        "_old_boot",
        "_old_highest",
        "_old_run",
        "_rewound",
        "_seen",
        "blocks",
        "duplicate",
        "lost",
        "reordered",
    )

    def __init__(self) -> None:
        self.blocks = 0
        self.lost = 0
        self.duplicate = 0
        self.reordered = 0
        self._boot = ""
        self._old_boot = ""
        self._old_highest = -1
        self._old_run = 0
        self._highest = -1
        self._seen = 0
        """Bit i: the block ``i`` before the highest has come."""
        self._rewound = -1

    @property
    def place(self) -> tuple[str, int]:
        """Boot and highest number so far; an empty boot before the first block."""
        return self._boot, self._highest

    def resume(self, boot: str, seq: int) -> None:
        """Go on after the block that was the last before a restart of the edge: what came between
        is lost. Blocks up to that one are known, so that one of them is not a late one.
        """
        self._boot, self._highest, self._seen = boot, seq, (1 << HISTORY) - 1

    def observe(self, boot: str, seq: int) -> Arrival:
        """Count a block and say where it belongs."""
        self.blocks += 1
        if boot != self._boot:
            if boot == self._old_boot:
                return self._of_old_boot(boot, seq)
            # The first boot that this edge sees may have begun long before the edge did.
            self.lost += seq if self._boot else 0
            return self._begin(boot, seq)
        self._old_run = 0
        ahead = seq - self._highest
        if ahead > 0:
            self.lost += ahead - 1
            self._seen = ((self._seen << ahead) if ahead < HISTORY else 0) | 1
            self._seen &= (1 << HISTORY) - 1
            self._highest = seq
            return Arrival.NEXT if ahead == 1 else Arrival.GAP
        return self._behind(seq, -ahead)

    def _of_old_boot(self, boot: str, seq: int) -> Arrival:
        self._old_run = self._old_run + 1 if seq > self._old_highest else 0
        self._old_highest = max(seq, self._old_highest)
        if self._old_run >= RETURNS:
            return self._begin(boot, seq)
        self.reordered += 1
        return Arrival.STALE

    def _behind(self, seq: int, back: int) -> Arrival:
        if back >= HISTORY:
            if seq == self._rewound + 1:
                # Two successive numbers from far back: the number before them was wrong.
                return self._begin(self._boot, seq)
            self._rewound = seq
            self.reordered += 1
        elif self._seen >> back & 1:
            self.duplicate += 1
        else:
            self._seen |= 1 << back
            self.reordered += 1
            self.lost = max(0, self.lost - 1)
        return Arrival.STALE

    def _begin(self, boot: str, seq: int) -> Arrival:
        if boot != self._boot:
            self._old_boot, self._old_highest, self._old_run = self._boot, self._highest, 0
            self._boot = boot
        self._highest, self._seen, self._rewound = seq, 1, -1
        return Arrival.GAP
