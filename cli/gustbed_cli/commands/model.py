"""``gustbed model``: train, evaluate, register, approve, list."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from gustbed_cli import output
from gustbed_cli.commands.cloud import explain
from gustbed_cli.commands.common import JsonOption, fleet_with_cloud
from gustbed_cli.fleet import Fleet
from gustbed_cli.setup import ensure
from gustbed_cloud import operations
from gustbed_protocol.errors import GustbedError
from gustbed_protocol.package import Manifest, PackageError, read_package, version_key

app = typer.Typer(help="Train models and roll them out.", no_args_is_help=True)

NAME = "windturbine"
FACTORY_VERSION = "1.0.0"
ROLLOUT_WITHIN = 600
"""Seconds that ``approve --wait`` gives a rollout."""

FINAL = frozenset({"SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED", "REMOVED"})
"""Statuses of a job execution that no longer change."""

PackageOption = Annotated[
    Path | None, typer.Option("--model", help="A package; the newest trained one if not given.")
]
DataOption = Annotated[Path | None, typer.Option(help="A dataset folder; made if not given.")]


@app.command()
def train(
    data: DataOption = None,
    out: Annotated[Path | None, typer.Option(help="Where the package goes.")] = None,
    version: Annotated[
        str | None, typer.Option(help="MAJOR.MINOR.PATCH; next if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal weights.")] = 1,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the data.")] = None,
    hours: Annotated[
        float | None, typer.Option(help="Use at most this much of each recording.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Train a model on the twin's data, or on DATA, and write its package."""
    fleet = fleet_with_cloud()
    ensure("train")
    version = version or next_version(fleet)
    target = out or fleet.home / "models" / f"{NAME}-{version}.tar.gz"
    arguments = ["--name", NAME, "--version", version, "--seed", str(seed), "--out", str(target)]
    for option, value in (("--data", data), ("--epochs", epochs), ("--hours", hours)):
        arguments += [option, str(value)] if value is not None else []
    _training("train", *arguments)
    manifest = _manifest(target)
    if json:
        output.emit_json(
            {
                "package": str(target),
                "name": manifest.name,
                "version": manifest.version,
                "metrics": manifest.metrics,
            }
        )
        return
    typer.echo(f"{manifest.name} {manifest.version}: {target}")
    typer.echo("Next: gustbed model register")


@app.command()
def evaluate(
    model: PackageOption = None, data: DataOption = None, json: JsonOption = False
) -> None:
    """Measure a model on faults that it was not trained on."""
    fleet = fleet_with_cloud()
    ensure("train")
    package = model or newest_package(fleet)
    if data is None:
        data = fleet.home / "datasets" / "evaluation"
        _training("make-dataset", "--profile", "evaluation", "--out", str(data))
    arguments = ["--model", str(package), "--data", str(data), *(["--json"] if json else [])]
    _training("evaluate", *arguments, show=True)


@app.command()
def register(
    package: Annotated[Path | None, typer.Argument(help="Newest trained if not given.")] = None,
    json: JsonOption = False,
) -> None:
    """Put a package into the registry, pending approval."""
    fleet = fleet_with_cloud()
    path = package or newest_package(fleet)
    _manifest(path)
    registered = operations.register_model(operations.connect(), path)
    if json:
        output.emit_json(registered)
        return
    typer.echo(f"{registered.name} {registered.version}: {registered.status}")
    name = "" if registered.name == NAME else f" --name {registered.name}"
    typer.echo(f"Next: gustbed model approve {registered.version}{name}")


@app.command()
def approve(
    version: Annotated[str | None, typer.Argument(help="Newest pending if not given.")] = None,
    name: Annotated[str, typer.Option(help="The model's name.")] = NAME,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until every edge answered.")] = False,
    json: JsonOption = False,
) -> None:
    """Approve a version: it is packaged, signed and rolled out by itself."""
    fleet_with_cloud()
    cloud = operations.connect()
    wanted = version or _newest_pending(operations.list_models(cloud, name), name)
    known = {m.version: m.status for m in operations.list_models(cloud, name)}
    if known.get(wanted) == "Approved":
        output.say(f"{name} {wanted} is approved already; nothing new is rolled out")
    approved = operations.approve_model(cloud, name, wanted)
    if wait:
        _wait_for_rollout(cloud, approved.name, approved.version)
    if json:
        output.emit_json(approved)
        return
    typer.echo(f"{approved.name} {approved.version}: {approved.status}")
    if not wait:
        typer.echo("Follow it: gustbed jobs")


@app.command("list")
def list_(
    name: Annotated[str, typer.Option(help="The model's name.")] = NAME, json: JsonOption = False
) -> None:
    """List the registry's versions."""
    fleet_with_cloud()
    models = operations.list_models(operations.connect(), name)
    if json:
        output.emit_json(models)
        return
    output.table(
        f"Versions of {name}",
        ["version", "status", "registered (UTC)", "package"],
        ((m.version, m.status, output.clock(m.created), m.url) for m in models),
    )


def next_version(fleet: Fleet) -> str:
    """The minor version after the newest that the registry or the models folder knows."""
    known = [FACTORY_VERSION]
    try:
        known += [m.version for m in operations.list_models(operations.connect(), NAME)]
    except GustbedError as error:
        output.say(f"cannot ask the registry for its versions ({error.what})")
    known += [
        path.name.removeprefix(f"{NAME}-").removesuffix(".tar.gz") for path in _trained(fleet)
    ]
    major, minor, _patch = max(version_key(version) for version in known)
    return f"{major}.{minor + 1}.0"


def newest_package(fleet: Fleet) -> Path:
    """The package that was trained last. Raises ``GustbedError`` if there is none."""
    trained = _trained(fleet)
    if not trained:
        raise GustbedError(
            f"{fleet.home / 'models'}: no package", "run `gustbed model train` first"
        )
    return max(trained, key=lambda path: path.stat().st_mtime)


def _trained(fleet: Fleet) -> list[Path]:
    return list((fleet.home / "models").glob(f"{NAME}-*.tar.gz"))


def _newest_pending(models: list[operations.ModelVersion], name: str) -> str:
    pending = [model.version for model in models if model.status == "PendingManualApproval"]
    if not pending:
        raise GustbedError(
            f"model {name}: no version is pending", "register one, or name a version"
        )
    return max(pending, key=version_key)


def _wait_for_rollout(cloud: operations.Cloud, name: str, version: str) -> None:
    deadline = time.monotonic() + ROLLOUT_WITHIN
    told = ""
    while time.monotonic() < deadline:
        jobs = [j for j in operations.list_jobs(cloud) if (j.name, j.version) == (name, version)]
        executions = jobs[0].executions if jobs else ()
        words = ", ".join(f"{e.thing} {e.status}" for e in executions) or "waiting for the job"
        if words != told:
            output.say(words)
            told = words
        if executions and all(e.status in FINAL for e in executions):
            failed = [e for e in executions if e.status != "SUCCEEDED"]
            if failed:
                raise GustbedError(
                    f"{name} {version} on {failed[0].thing}: {failed[0].status}",
                    explain(failed[0]) or "see `gustbed logs edge`",
                )
            return
        time.sleep(1)
    raise GustbedError(
        f"{name} {version}: not rolled out after {ROLLOUT_WITHIN} s", "see `gustbed jobs`"
    )


def _manifest(path: Path) -> Manifest:
    try:
        return read_package(path.read_bytes()).manifest
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "name a model package") from error
    except PackageError as error:
        raise GustbedError(f"{path}: {error.detail}", "train it again") from error


def _training(*arguments: str, show: bool = False) -> None:
    command = [sys.executable, "-m", "gustbed_training", *arguments]
    done = subprocess.run(command, stdout=None if show else sys.stderr, check=False)
    if done.returncode != 0:
        raise typer.Exit(done.returncode)
