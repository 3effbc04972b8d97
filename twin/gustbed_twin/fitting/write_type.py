"""The fitted type as a file, which drives everything that a type's file drives."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import read_type, type_files
from gustbed_twin.fitting.report import Report
from gustbed_twin.physics.registry import physics_of

Change = Callable[[dict[str, Any]], None]
"""Writes what was fitted into the ``physics`` of a type's file."""


def base_file(name: str, types_dir: Path | None) -> Path:
    """The file of a type, by name or path. Raises ``GustbedError``."""
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    found = {path.stem: path for path in type_files(types_dir)}
    if name not in found:
        raise GustbedError(f"no turbine type {name!r}", f"one of {', '.join(sorted(found))}")
    return found[name]


def check_target(out: Path) -> None:
    """Raise ``GustbedError`` if ``out`` cannot be a type's file, before any long work."""
    if out.suffix != ".yaml" or not out.stem.isidentifier() or out.stem != out.stem.lower():
        raise GustbedError(
            f"--out {out}", "name a .yaml file in lower-case letters, digits and '_'"
        )
    if not out.parent.is_dir():
        raise GustbedError(f"--out {out}: no such folder", "make it, or name another")


def write_type(base: Path, out: Path, title: str, change: Change, report: Report) -> None:
    """Write ``base`` with ``change`` and the fit's words on top. Raises ``GustbedError``.

    The rotor's table, if there is one, is copied beside it. What is written is read again.
    """
    data = yaml.safe_load(base.read_text(encoding="utf-8"))
    data["name"], data["title"] = out.stem, title
    change(data["physics"])
    table = data["physics"].get("rotor", {}).get("table")
    text = _head(base, report) + yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=99)
    try:
        if table and (base.parent / table).resolve() != (out.parent / table).resolve():
            shutil.copyfile(base.parent / table, out.parent / table)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise GustbedError(f"--out {out}: {error.strerror}", "name another file") from error
    physics_of(read_type(out))


def _head(base: Path, report: Report) -> str:
    lines = [
        f"Fitted by `gustbed twin fit` to {report.fitted} {report.what} of recordings, from"
        f" {base.name}; {report.held_out} more were held out.",
    ]
    for each in report.constants:
        interval = f"{each.name}: {each.value:.6g}, 95 % from {each.low:.6g} to {each.high:.6g}"
        lines.append(interval if each.identified else f"{each.name}: not identified ({each.why})")
    lines += [
        f"{each.channel} ({each.unit}): bias {each.bias:.3g}, RMSE {each.rmse:.3g}, of"
        f" {each.rmse_before:.3g} before"
        for each in report.followed
    ]
    lines += list(report.notes)
    return "".join(f"# {line}\n" for line in lines)
