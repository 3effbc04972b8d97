"""Whose a thing is: several stacks of one account and region hear the same topics.

Enrolment writes the stack's name on the thing. A thing that says nothing, or cannot be looked up,
is taken for ours: rather twice than lost.
"""

import json
import time
from collections.abc import Callable
from typing import Any

ATTRIBUTE = "stack"
KNOWN_FOR = 300.0
"""Seconds for which an answer is kept."""

Ours = Callable[[str], bool]


class Members:
    """Looks things up, each once in a while."""

    def __init__(self, iot: Any, stack: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._iot = iot
        self._stack = stack
        self._clock = clock
        self._known: dict[str, tuple[float, bool]] = {}

    def __call__(self, thing: str) -> bool:
        """Whether a thing's messages are for this stack."""
        now = self._clock()
        until, ours = self._known.get(thing, (0.0, True))
        if now >= until:
            ours = self._ask(thing)
            self._known[thing] = (now + KNOWN_FOR, ours)
        return ours

    def _ask(self, thing: str) -> bool:
        try:
            attributes = self._iot.describe_thing(thingName=thing).get("attributes", {})
        except Exception as error:  # noqa: BLE001 - whatever it is, the message must not be lost
            print(json.dumps({"level": "warning", "thing": thing, "error": str(error)}))
            return True
        return str(attributes.get(ATTRIBUTE, self._stack)) == self._stack


def everybody(_thing: str) -> bool:
    """Where there is one stack only."""
    return True
