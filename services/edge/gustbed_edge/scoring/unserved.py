"""Blocks of turbine types that no model is for: counted, not scored."""

import logging
from collections import Counter

log = logging.getLogger(__name__)

MAX_TYPES = 16
"""Types come from outside; beyond this many they are counted together."""
OTHER = "other"


class UnservedTypes:
    """Counts blocks by turbine type, and says so once for each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, turbine_type: str) -> None:
        """Count a block of type ``turbine_type``."""
        if turbine_type not in self.counts:
            if len(self.counts) >= MAX_TYPES:
                turbine_type = OTHER
            if turbine_type not in self.counts:
                log.info(
                    "no model for turbines of type %s: their blocks are not scored", turbine_type
                )
        self.counts[turbine_type] += 1
