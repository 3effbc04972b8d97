"""Dataclasses to bytes and back, checked on the way in: JSON by default, MessagePack by choice."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

import msgspec

from gustbed_core.errors import PayloadError

T = TypeVar("T")
MAX_PAYLOAD_BYTES = 128 * 1024
"""AWS IoT Core's limit, kept on the site too."""

_MSGPACK_MAPS = frozenset(bytes([first]) for first in (*range(0x80, 0x90), 0xDE, 0xDF))


class Encoding(StrEnum):
    """How payloads are written on the site broker."""

    JSON = "json"
    MSGPACK = "msgpack"


def encode(value: object, encoding: Encoding = Encoding.JSON) -> bytes:
    """Serialise a dataclass, or anything built from dicts, lists and scalars."""
    if encoding is Encoding.JSON:
        return msgspec.json.encode(value)
    return msgspec.msgpack.encode(value)


def decoder(kind: type[T], most: int = MAX_PAYLOAD_BYTES) -> Callable[[bytes], T]:
    """Return a function from payload to ``kind``, for either encoding, of ``most`` bytes at most.

    It raises ``PayloadError`` with reason ``oversized``, ``non_finite``, ``malformed`` or
    ``wrong_fields``. A JSON payload starts with ``{``, which MessagePack maps never do.
    """
    from_json = msgspec.json.Decoder(kind).decode
    from_msgpack = msgspec.msgpack.Decoder(kind).decode

    def decode(payload: bytes) -> T:
        if len(payload) > most:
            raise PayloadError("oversized", f"{len(payload)} bytes, at most {most}")
        is_json = payload[:1] == b"{"
        if not is_json and payload[:1] not in _MSGPACK_MAPS:
            raise PayloadError("malformed", "neither a JSON object nor a MessagePack map")
        try:
            return from_json(payload) if is_json else from_msgpack(payload)
        except msgspec.ValidationError as error:
            raise PayloadError("wrong_fields", str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if is_json and (b"NaN" in payload or b"Infinity" in payload):
                raise PayloadError("non_finite", "NaN or infinity in the payload") from error
            raise PayloadError("malformed", str(error)) from error

    return decode
