"""A turbine type of a user's own: smaller than ours, its channels under other names."""

import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

OURS = "nrel_5mw"
RATED_POWER_KW, CUT_OUT_MS = 4800.0, 23.0


def write_type(folder: Path, name: str, prefix: str | None = None) -> Path:
    """Write a type's file, and the table that its physics names, into a folder; return it.

    Every channel, and every feature that is a channel, has ``prefix`` before its name.
    """
    prefix = f"{name}_" if prefix is None else prefix
    own = Path(str(resources.files("gustbed_core") / "types"))
    parsed: dict[str, Any] = yaml.safe_load((own / f"{OURS}.yaml").read_text(encoding="utf-8"))
    names = {channel["name"] for channel in parsed["channels"]}
    renamed: dict[str, Any] = _renamed(parsed, names, prefix)
    renamed |= {"name": name, "title": f"Turbine {name}", "label": name, "model_name": name}
    renamed["physics"] = parsed["physics"]
    limits = renamed["physics"]["limits"]
    limits |= {"cut_out_ms": CUT_OUT_MS, "restart_ms": 20.0, "rated_power_kw": RATED_POWER_KW}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(renamed, sort_keys=False), encoding="utf-8")
    shutil.copy(own / f"{OURS}_rotor.txt", folder)
    return folder


def _renamed(part: Any, names: set[str], prefix: str) -> Any:
    """The same with a prefix before each of the names, as a key or as a value."""
    if isinstance(part, dict):
        return {
            # What a channel is measured from is the physics' own word.
            _name(key, names, prefix): value
            if key in ("of", "op", "unit", "label", "title", "description")
            and not isinstance(value, list)
            else _renamed(value, names, prefix)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [_renamed(each, names, prefix) for each in part]
    return _name(part, names, prefix)


def _name(value: Any, names: set[str], prefix: str) -> Any:
    return f"{prefix}{value}" if isinstance(value, str) and value in names else value
