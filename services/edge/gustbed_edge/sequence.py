"""Sequence tracking per turbine: what was lost, came twice or came late."""

from enum import Enum

HISTORY = 64
"""How many sequence numbers back a late block is told from a duplicate."""


class Arrival(Enum):
    """What a block's number says about its place in the stream."""

    NEXT = "next"
    """Follows the last one."""
    GAP = "gap"
    """The first one known, after a loss, or of a new boot: what came before is not adjacent."""
    STALE = "stale"
    """A duplicate or late: it has no place in the window any more."""


class Sequence:
    """One turbine's counters. ``lost`` shrinks again when a missing block comes late."""

    __slots__ = (
        "_boot",
        "_highest",
        "_old_boot",
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
        self._highest = -1
        self._seen = 0
        """Bit i: the block ``i`` before the highest has come."""
        self._rewound = -1

    def observe(self, boot: str, seq: int) -> Arrival:
        """Count a block and say where it belongs."""
        self.blocks += 1
        if boot != self._boot:
            if boot == self._old_boot:
                self.reordered += 1
                return Arrival.STALE
            # The first boot that this edge sees may have begun long before the edge did.
            self.lost += seq if self._boot else 0
            return self._begin(boot, seq)
        ahead = seq - self._highest
        if ahead > 0:
            self.lost += ahead - 1
            self._seen = ((self._seen << ahead) if ahead < HISTORY else 0) | 1
            self._seen &= (1 << HISTORY) - 1
            self._highest = seq
            return Arrival.NEXT if ahead == 1 else Arrival.GAP
        return self._behind(seq, -ahead)

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
            self._boot, self._old_boot = boot, self._boot
        # What lies before the first block seen counts as come: a late one is then a duplicate
        # only if it truly was seen, so the history starts empty but for this block.
        self._highest, self._seen, self._rewound = seq, 1, -1
        return Arrival.GAP
