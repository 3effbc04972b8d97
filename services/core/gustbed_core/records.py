"""Typed records out of JSON, checked with the standard library alone: Lambda has no other."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from gustbed_core.errors import GustbedError

T = TypeVar("T")


class RecordError(GustbedError):
    """JSON that is not the record it should be. ``detail`` names the field."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def read_record(cls: type[T], content: object, field: str = "") -> T:
    """Make a dataclass of decoded JSON; fields that it does not know are ignored.

    Takes ``str``, ``int``, ``float``, ``bool``, ``Literal``, ``dict[str, X]`` and dataclasses of
    these. Raises ``RecordError`` for a field that is missing or of another type.
    """
    if not isinstance(content, Mapping):
        raise RecordError(f"{field or cls.__name__} is not an object")
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for each in dataclasses.fields(cls):  # type: ignore[arg-type]
        name = f"{field}.{each.name}" if field else each.name
        if each.name in content:
            values[each.name] = _convert(hints[each.name], content[each.name], name)
        elif each.default is each.default_factory is dataclasses.MISSING:
            raise RecordError(f"{name} is missing")
    return cls(**values)


def _convert(wanted: Any, value: object, name: str) -> Any:
    origin = get_origin(wanted)
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        return read_record(wanted, value, name)
    if origin is dict and isinstance(value, Mapping):
        return {str(key): _convert(get_args(wanted)[1], each, name) for key, each in value.items()}
    if wanted is float and type(value) in (int, float):
        # json takes NaN and Infinity, and makes 1e999 of the latter.
        if not math.isfinite(number := float(value)):  # type: ignore[arg-type]
            raise RecordError(f"{name} is {number}, not finite")
        return number
    known = isinstance(value, str) and value in get_args(wanted) if origin is Literal else False
    # Not isinstance: true is no number.
    if known or type(value) is wanted:
        return value
    raise RecordError(f"{name} is {str(value)[:60]!r}")
