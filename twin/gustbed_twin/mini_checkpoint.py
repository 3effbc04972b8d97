"""A farm of miniature turbines to a file and back, bit for bit."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_core.telemetry import MINI
from gustbed_twin.checkpoint import not_a_checkpoint, read_checkpoint, write_checkpoint
from gustbed_twin.farm import Farm, Moment
from gustbed_twin.faults import Faults
from gustbed_twin.filters import Floats
from gustbed_twin.sensors import Counters
from gustbed_twin.turbine import State
from gustbed_twin.turbine_types import MiniMachine
from gustbed_twin.wind import Gust, WindConfig


@dataclass(frozen=True, slots=True)
class Frozen:
    """What a file holds."""

    head: dict[str, Any]
    arrays: dict[str, Floats]


def freeze(farm: Farm) -> Frozen:
    """The farm as of now. Its arrays are replaced as it runs on, never written to."""
    now = farm.moment
    streams = (*now.streams, now.wind.turbulence_stream, now.wind.gust_stream, now.weather.stream)
    head = {
        "type": MINI,
        "seed": farm.seed,
        "indices": list(farm.indices),
        "rate_hz": farm.rate_hz,
        "sample": farm.sample,
        "wind": asdict(farm.config),
        "machine": msgspec.to_builtins(farm.machine),
        "heading": now.wind.heading,
        "gusts": [asdict(gust) for gust in now.wind.gusts],
        "weather_tick": now.weather.tick,
        "streams": [stream.bit_generator.state for stream in streams],
    }
    parts: dict[str, Any] = {"state": now.state, "counters": now.counters, "faults": now.faults}
    arrays = {
        f"{part}_{field.name}": getattr(value, field.name)
        for part, value in parts.items()
        for field in fields(value)
    }
    return Frozen(head, {**arrays, "site": now.wind.state, "weather": now.weather.state})


def write_mini(frozen: Frozen, path: Path) -> None:
    """Write a checkpoint, whole or not at all. Raises ``GustbedError``."""
    write_checkpoint(path, frozen.head, frozen.arrays)


def load_mini(path: Path) -> Farm:
    """Read a checkpoint. Raises ``GustbedError`` naming the file and what is wrong with it."""
    head, data = read_checkpoint(path)
    try:
        if head["type"] != MINI:
            raise GustbedError(f"{path}: of type {head['type']}", f"name one of type {MINI}")
        farm = Farm(
            head["seed"], head["indices"], msgspec.convert(head["wind"], WindConfig),
            head["rate_hz"], msgspec.convert(head["machine"], MiniMachine),
        )  # fmt: skip
        farm.sample = int(head["sample"])
        farm.moment = _moment(farm.moment, head, data)
    except (ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
        raise not_a_checkpoint(path, error) from error
    return farm


def _moment(new: Moment, head: dict[str, Any], data: dict[str, Floats]) -> Moment:
    wind, weather = new.wind, new.weather
    streams = (*new.streams, wind.turbulence_stream, wind.gust_stream, weather.stream)
    for stream, state in zip(streams, head["streams"], strict=True):
        stream.bit_generator.state = state
    return replace(
        new,
        wind=replace(
            wind,
            state=data["site"],
            heading=float(head["heading"]),
            gusts=tuple(msgspec.convert(head["gusts"], list[Gust])),
        ),
        weather=replace(weather, tick=int(head["weather_tick"]), state=data["weather"]),
        state=_part(State, "state", data, new.state),
        counters=_part(Counters, "counters", data, new.counters),
        faults=_part(Faults, "faults", data, new.faults),
    )


def _part(kind: Any, name: str, data: dict[str, Floats], like: Any) -> Any:
    found = {}
    for field in fields(kind):
        array, wanted = data[f"{name}_{field.name}"], getattr(like, field.name)
        if array.shape != wanted.shape:
            raise ValueError(f"{name}_{field.name} has shape {array.shape}, not {wanted.shape}")
        found[field.name] = np.ascontiguousarray(array)
    return kind(**found)
