"""What a topic rule hands on: a device's message, and what AWS IoT says of it.

Shared by the functions behind the rules; it lies at the root of each function's archive.
"""

import json
from dataclasses import dataclass
from typing import Any

_ENVELOPE = ("mqtt_client", "mqtt_thing", "mqtt_kind", "mqtt_received")


class RejectedError(Exception):
    """A message that is none of ours. The text is the reason."""


@dataclass(frozen=True)
class Message:
    """What a device published, and what the topic rule says of it.

    ``topic`` is the last level of ``device/<thing>/<topic>``; ``received``: Unix seconds.
    """

    thing: str
    topic: str
    received: float
    payload: dict[str, Any]


def unwrap(body: str, now: float) -> Message:
    """Take a message out of the topic rule's envelope. Raises ``RejectedError``."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RejectedError("not JSON") from error
    if not isinstance(message, dict) or not isinstance(message.get("mqtt_thing"), str):
        raise RejectedError("not from the topic rule")
    return Message(
        message["mqtt_thing"],
        str(message.get("mqtt_kind")),
        seconds(message.get("mqtt_received"), 1000, now),
        {key: value for key, value in message.items() if key not in _ENVELOPE},
    )


def seconds(value: object, scale: int, otherwise: float) -> float:
    """Read a time given in ``1/scale`` seconds; ``otherwise`` where it makes no sense."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return otherwise
    found = value / scale
    return found if 0 <= found < 1e11 else otherwise
