"""The whole farm to a file and back, bit for bit."""

import json
import tempfile
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gustbed_protocol.errors import GustbedError
from gustbed_twin.utility.farm import Arrays, UtilityFarm
from gustbed_twin.utility.kernel import STATE
from gustbed_twin.utility.machine import make_machine
from gustbed_twin.utility.names import TRUTHS
from gustbed_twin.utility.site import Conditions

SCHEMA = 1
_ARRAYS = ("poles", "degrees", "truth", "held", "shelter")


def save_farm(farm: UtilityFarm, path: Path) -> None:
    """Write a checkpoint, whole or not at all. Raises ``GustbedError``."""
    head = {
        "schema": SCHEMA,
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
    }
    arrays = {name: getattr(farm.arrays, name) for name in _ARRAYS}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            np.savez(
                file, head=np.frombuffer(json.dumps(head).encode(), np.uint8),
                state=farm.arrays.state, exposure=farm.exposure, wakes=farm.wakes,
                site=farm.air.state, times=farm.ramps.times, levels=farm.ramps.levels, **arrays,
            )  # fmt: skip
        Path(file.name).replace(path)
    except OSError as error:
        raise GustbedError(
            f"{path}: {error.strerror}", "name a file that can be written"
        ) from error


def load_farm(path: Path) -> UtilityFarm:
    """Read a checkpoint. Raises ``GustbedError`` naming the file and what is wrong with it."""
    from gustbed_twin.turbine_types import TurbineType, UtilityType

    try:
        with np.load(path, allow_pickle=False) as stored:
            data = {name: stored[name] for name in stored.files}
        head: dict[str, Any] = json.loads(bytes(data["head"]))
        if head["schema"] != SCHEMA or head["layout"] != [list(STATE.names or ()), list(TRUTHS)]:
            raise GustbedError(f"{path}: written by another release", "start without it")
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
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "name a checkpoint") from error
    except (
        ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, msgspec.MsgspecError
    ) as error:  # fmt: skip
        text = " ".join(str(error).split())
        raise GustbedError(f"{path}: not a checkpoint: {text[:99]}", "name another") from error
    return farm
