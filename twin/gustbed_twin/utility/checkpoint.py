"""The whole farm to a file and back, bit for bit."""

from dataclasses import asdict, replace
from pathlib import Path

import msgspec
import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_core.telemetry import MINI
from gustbed_twin.checkpoint import (
    not_a_checkpoint,
    other_release,
    read_checkpoint,
    write_checkpoint,
)
from gustbed_twin.utility.farm import Arrays, UtilityFarm
from gustbed_twin.utility.kernel import STATE
from gustbed_twin.utility.machine import make_machine
from gustbed_twin.utility.names import TRUTHS
from gustbed_twin.utility.site import Conditions

_ARRAYS = ("poles", "degrees", "truth", "held", "shelter")


Since = dict[tuple[int, str], float]
"""Unix time since when a turbine, by position, has had a kind of fault."""


def save_farm(farm: UtilityFarm, path: Path, since: Since | None = None) -> None:
    """Write a checkpoint, whole or not at all. Raises ``GustbedError``."""
    head = {
        "layout": [list(STATE.names or ()), list(TRUTHS)],
        "type": farm.machine.kind.name,
        "kind": msgspec.to_builtins(farm.machine.kind),
        "mean_wind": farm.machine.mean_wind,
        "seed": farm.seed,
        "indices": list(farm.indices),
        "sample": farm.sample,
        "conditions": asdict(farm.conditions),
        "overlay": farm.overlay.dump(),
        "wake_axes": list(farm.wake_axes),
        "since": [[*key, t] for key, t in (since or {}).items()],
    }
    arrays = {
        **{name: getattr(farm.arrays, name) for name in _ARRAYS},
        "state": farm.arrays.state,
        "exposure": farm.exposure,
        "wakes": farm.wakes,
        "site": farm.air.state,
        "times": farm.ramps.times,
        "levels": farm.ramps.levels,
    }
    write_checkpoint(path, head, arrays)


def load_since(path: Path) -> Since:
    """Since when the faults of a checkpoint are there. Raises ``GustbedError``."""
    head, _ = read_checkpoint(path)
    try:
        rows = msgspec.convert(head.get("since", []), list[tuple[int, str, float]])
    except msgspec.ValidationError as error:
        raise not_a_checkpoint(path, error) from error
    return {(position, kind): t for position, kind, t in rows}


def load_farm(path: Path) -> UtilityFarm:
    """Read a checkpoint. Raises ``GustbedError`` naming the file and what is wrong with it."""
    from gustbed_twin.turbine_types import TurbineType, UtilityType

    head, data = read_checkpoint(path)
    try:
        if head["type"] == MINI:
            raise GustbedError(f"{path}: of type {MINI}", "name one of a utility type")
        if head["layout"] != [list(STATE.names or ()), list(TRUTHS)]:
            raise other_release(path)
        kind = msgspec.convert(head["kind"], type=TurbineType)
        if not isinstance(kind, UtilityType):
            raise GustbedError(f"{path}: type {head['type']}", "it has no such checkpoint")
        conditions = msgspec.convert(head["conditions"], type=Conditions)
        farm = UtilityFarm(
            make_machine(kind, head["mean_wind"]), head["seed"], head["indices"], conditions,
            exposure=data["exposure"], wakes=data["wakes"], wake_axes=tuple(head["wake_axes"]),
        )  # fmt: skip
        farm.sample = int(head["sample"])
        farm.air = replace(farm.air, state=data["site"])
        farm.ramps.times, farm.ramps.levels = data["times"], data["levels"]
        farm.overlay.restore(head["overlay"])
        farm.arrays = Arrays(
            np.ascontiguousarray(data["state"]).astype(STATE), *(data[name] for name in _ARRAYS)
        )
    except (ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
        raise not_a_checkpoint(path, error) from error
    return farm
