"""The training package as a child process, and the packages that it is about.

It is heavy to import and has an environment of its own to install, so the command line does
neither until a command needs it.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import typer

from gustbed_cli import output
from gustbed_cli.fleet import FarmSettings, Fleet
from gustbed_cli.setup import Group, ensure
from gustbed_cloud import operations
from gustbed_core.errors import GustbedError
from gustbed_core.jobs import PACKAGE_FILE
from gustbed_core.package import Manifest, PackageError, read_package, version_key
from gustbed_core.settings import load

FACTORY = Path(str(files("gustbed_edge") / "factory"))
FACTORY_VERSION = "1.0.0"


def training(*arguments: object, group: Group = "train") -> None:
    """Run a command of the training package; it prints for us, and its failure is ours."""
    ensure(group)
    done = subprocess.run(_command(*arguments), check=False)
    if done.returncode != 0:
        raise typer.Exit(done.returncode)


def training_json(*arguments: object, group: Group = "train") -> Any:
    """The same for a command that prints JSON. Raises ``GustbedError``."""
    ensure(group)
    done = subprocess.run(_command(*arguments), check=False, stdout=subprocess.PIPE)
    if done.returncode != 0:
        raise typer.Exit(done.returncode)
    return json.loads(done.stdout)


def given(options: Mapping[str, object]) -> list[object]:
    """Options with their values, less those that nobody gave."""
    return [word for name, value in options.items() if value is not None for word in (name, value)]


def flags(options: Mapping[str, bool]) -> list[str]:
    """The flags that are set."""
    return [name for name, on in options.items() if on]


def model_of(data: Path | None, turbine_type: str) -> tuple[str, str]:
    """Turbine type and model name of a dataset; without one, of a type.

    Needs no PyTorch, so that a wrong folder is named before it is installed.
    """
    if data is not None:
        described = training_json("describe", "--data", data, group="data")
    else:
        described = training_json("describe", "--type", turbine_type, group="data")
    return described["turbine_type"], described["name"]


def trained(fleet: Fleet, name: str) -> list[Path]:
    """Packages of a model that were trained here."""
    return [
        path
        for path in (fleet.home / "models").glob(f"{name}-*.tar.gz")
        if _version_of(path, name) is not None
    ]


def newest_package(fleet: Fleet, name: str) -> Path:
    """The package of a model that was trained last, else the one that the edge ships with.

    Raises ``GustbedError`` if there is neither.
    """
    found = trained(fleet, name)
    if found:
        return max(found, key=lambda path: path.stat().st_mtime)
    shipped = factory_package(name)
    if shipped is None:
        raise GustbedError(
            f"{fleet.home / 'models'}: no package of {name}", "run `gustbed model train` first"
        )
    return shipped


def factory_package(name: str) -> Path | None:
    """The package that the edge ships with, if it has one of that name."""
    path = FACTORY / name / PACKAGE_FILE
    return path if path.is_file() else None


def in_service(fleet: Fleet, name: str) -> Path | None:
    """What a new model must not be worse than: what the registry lets serve, else the factory's."""
    try:
        approved = operations.approved_package(
            operations.connect(), name, fleet.home / "models" / "in-service"
        )
    except GustbedError as error:
        output.report(f"cannot ask the registry for the model in service ({error.what})")
        approved = None
    return approved or factory_package(name)


def next_version(fleet: Fleet, name: str) -> str:
    """The minor version after the newest that the registry or the models folder knows."""
    known = [] if factory_package(name) is None else [FACTORY_VERSION]
    try:
        known += [model.version for model in operations.list_models(operations.connect(), name)]
    except GustbedError as error:
        output.report(f"cannot ask the registry for its versions ({error.what})")
    known += [found for path in trained(fleet, name) if (found := _version_of(path, name))]
    if not known:
        return FACTORY_VERSION
    major, minor, _patch = max(version_key(version) for version in known)
    return f"{major}.{minor + 1}.0"


def manifest_of(path: Path) -> Manifest:
    """What a package says of itself. Raises ``GustbedError`` naming it."""
    try:
        return read_package(path.read_bytes()).manifest
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "name a model package") from error
    except PackageError as error:
        raise GustbedError(f"{path}: {error.detail}", "train it again") from error


def captures(fleet: Fleet) -> Path:
    """What edges captured, brought here from the lake. Raises ``GustbedError`` if it is empty."""
    folder = fleet.home / "lake"
    count = operations.fetch_captures(operations.connect(), folder)
    output.report(f"{count} files of captures from the lake")
    if not count:
        raise GustbedError("the lake holds no capture", "let the edge run and deliver for a while")
    return folder


def default_type(turbine_type: str | None, data: Path | None) -> str:
    """The type that is asked for, else the one that the twin simulates.

    Raises ``typer.BadParameter`` if a dataset is given too, which has its own.
    """
    if turbine_type is not None and data is not None:
        raise typer.BadParameter("a dataset says its own type", param_hint="--type")
    return turbine_type or load(FarmSettings).type


def _version_of(path: Path, name: str) -> str | None:
    version = path.name.removeprefix(f"{name}-").removesuffix(".tar.gz")
    try:
        version_key(version)
    except PackageError:
        return None
    return version


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "gustbed_training", *map(str, arguments)]
