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
from gustbed_twin.utility.farm import UtilityFarm
from gustbed_twin.utility.machine import make_machine
from gustbed_twin.utility.ramps import Ramps
from gustbed_twin.utility.records import QUANTITIES, RAMP, STATE, WakeTable, make_turbines
from gustbed_twin.utility.site import Conditions

_ARRAYS = ("poles", "degrees", "quantities", "held", "shelter", "exposure")
_LAYOUT = [list(STATE.names or ()), list(QUANTITIES), list(RAMP.names or ())]


Since = dict[tuple[int, str], float]
"""Unix time since when a turbine, by position, has had a kind of fault."""


def save_farm(farm: UtilityFarm, path: Path, since: Since | None = None) -> None:
    """Write a checkpoint, whole or not at all. Raises ``GustbedError``."""
    head = {
        "layout": _LAYOUT,
        "type": farm.machine.kind.name,
        "kind": msgspec.to_builtins(farm.machine.kind),
        "mean_wind": farm.machine.mean_wind,
        "seed": farm.seed,
        "indices": list(farm.indices),
        "sample": farm.sample,
        "conditions": asdict(farm.conditions),
        "overlay": farm.overlay.dump(),
        "wake_axes": [farm.wakes.first, farm.wakes.spacing],
        "since": [[*key, t] for key, t in (since or {}).items()],
    }
    arrays = {
        **{name: getattr(farm.turbines, name) for name in _ARRAYS},
        "state": farm.turbines.state,
        "wakes": farm.wakes.share,
        "site": farm.air.state,
        "ramps": farm.ramps.records,
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
        if head["layout"] != _LAYOUT:
            raise other_release(path)
        kind = msgspec.convert(head["kind"], type=TurbineType)
        if not isinstance(kind, UtilityType):
            raise GustbedError(f"{path}: type {head['type']}", "it has no such checkpoint")
        conditions = msgspec.convert(head["conditions"], type=Conditions)
        farm = UtilityFarm(
            make_machine(kind, head["mean_wind"]), head["seed"], head["indices"], conditions,
            exposure=data["exposure"], wakes=WakeTable(data["wakes"], *head["wake_axes"]),
        )  # fmt: skip
        farm.sample = int(head["sample"])
        farm.air = replace(farm.air, state=data["site"])
        farm.ramps = Ramps(data["ramps"].astype(RAMP))
        farm.overlay.restore(head["overlay"])
        farm.turbines = make_turbines(
            state=np.ascontiguousarray(data["state"]).astype(STATE),
            keys=farm.turbines.keys,
            **{name: np.ascontiguousarray(data[name]) for name in _ARRAYS},
        )
    except (ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
        raise not_a_checkpoint(path, error) from error
    return farm
