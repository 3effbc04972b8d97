"""``gustbed model``: train, evaluate, compare, drift, card; and what ``registry`` adds."""

from pathlib import Path
from typing import Annotated

import typer

from gustbed_cli import output
from gustbed_cli.checkout import require_checkout
from gustbed_cli.commands import registry
from gustbed_cli.commands.common import JsonOption, fleet_with_cloud
from gustbed_cli.fleet import Fleet
from gustbed_cli.training import (
    FACTORY,
    captures,
    default_type,
    flags,
    given,
    in_service,
    model_of,
    newest_package,
    next_version,
    training,
)
from gustbed_core.jobs import PACKAGE_FILE
from gustbed_core.turbine_types import known_types

USUAL_SEEDS = "0,1,2"
TYPES = f"{', '.join(known_types())}, or one of GUSTBED_TYPES_DIR"

app = typer.Typer(help="Train models and roll them out.", no_args_is_help=True)

ModelOption = Annotated[
    Path | None,
    typer.Option("--model", help="A package; the newest trained for the data, else the factory's."),
]
DataOption = Annotated[Path | None, typer.Option(help="A dataset folder; the twin's if not given.")]
TypeOption = Annotated[
    str | None, typer.Option("--type", help=f"Turbine type without --data: {TYPES}.")
]
LakeOption = Annotated[bool, typer.Option("--from-lake", help="Take what the edges captured.")]


@app.command()
def train(
    data: DataOption = None,
    detector: Annotated[
        str | None,
        typer.Option(help="What suits the data if not given; else compact, dynamic, pca, …"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal weights.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Where the package goes.")] = None,
    name: Annotated[str | None, typer.Option(help="After the turbine type if not given.")] = None,
    version: Annotated[
        str | None, typer.Option(help="MAJOR.MINOR.PATCH; next if not given.")
    ] = None,
    turbine_type: TypeOption = None,
    from_lake: LakeOption = False,
    normal: Annotated[
        str | None,
        typer.Option(
            help="With --from-lake: [TURBINE:]FROM..TO,… are normal, whatever the model said then."
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the data.")] = None,
    hours: Annotated[
        float | None, typer.Option(help="Use at most this much of each recording.")
    ] = None,
    false_per_day: Annotated[
        float | None, typer.Option(help="Aim of the thresholds: false events per turbine-day.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Do finished steps again.")] = False,
    json: JsonOption = False,
) -> None:
    """Train a model and write its package: prepare, train, evaluate, gate, package, register.

    Finished steps are kept. Exit code 1 if the quality gate refuses the model; its package is
    written all the same.
    """
    if from_lake and data is not None:
        raise typer.BadParameter("give one of --data and --from-lake", param_hint="--from-lake")
    if normal is not None and not from_lake:
        raise typer.BadParameter("declares periods of --from-lake", param_hint="--normal")
    fleet = fleet_with_cloud()
    learnt_type, usual = model_of(data, default_type(turbine_type, data))
    called = name or usual
    wanted = version or next_version(fleet, called)
    target = out or fleet.home / "models" / f"{called}-{wanted}.tar.gz"
    options: dict[str, object] = {
        "--name": called,
        "--version": wanted,
        "--seed": seed,
        "--out": target,
        "--home": fleet.home,
        "--data": data,
        "--type": learnt_type if data is None else None,
        "--captures": captures(fleet) if from_lake else None,
        "--normal": normal,
        "--detector": detector,
        "--epochs": epochs,
        "--hours": hours,
        "--false-per-day": false_per_day,
        "--incumbent": in_service(fleet, called),
    }
    training("train", *given(options), *flags({"--force": force, "--json": json}))
    if not json:
        typer.echo(f"Next: gustbed model register {target}")


@app.command()
def evaluate(
    model: ModelOption = None,
    data: DataOption = None,
    turbine_type: TypeOption = None,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Take recordings without labels as normal.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Measure a model on recordings that it did not learn from."""
    fleet = fleet_with_cloud()
    package = model or newest_package(fleet, model_of(data, default_type(turbine_type, data))[1])
    output.report(f"model {package}")
    options = {"--model": package, "--home": fleet.home, "--data": data}
    training("evaluate", *given(options), *flags({"--unlabelled": unlabelled, "--json": json}))


@app.command()
def compare(
    data: Annotated[
        Path | None, typer.Option(help="A dataset folder; the twin's of both types if not given.")
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="Between commas; each detector learns as often.")
    ] = USUAL_SEEDS,
    detectors: Annotated[str | None, typer.Option(help="Between commas; all if not given.")] = None,
    write_docs: Annotated[
        bool, typer.Option("--write-docs", help="Write docs/detection.md and .json.")
    ] = False,
    against: Annotated[
        Path | None, typer.Option(help="A detection.json: say whether it agrees.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Train and test every detector several times, and print one table."""
    fleet = fleet_with_cloud()
    options: dict[str, object] = {
        "--seeds": seeds,
        "--home": fleet.home,
        "--data": data,
        "--detectors": detectors,
        "--against": against,
    }
    if write_docs:
        if data is not None or detectors is not None:
            # The page says that `make detection` made it.
            raise typer.BadParameter("the page is of all detectors on the twin's data")
        again = "" if seeds == USUAL_SEEDS else f" SEEDS={seeds}"
        docs = require_checkout("--write-docs") / "docs"
        options |= {"--docs": docs, "--as-command": f"make detection{again}"}
    training("compare", *given(options), *flags({"--json": json}))


@app.command()
def reality(
    model: Annotated[
        list[Path] | None, typer.Option(help="Packages; the factory's if not given.")
    ] = None,
    hours: Annotated[float, typer.Option(min=0.2, help="Judged in each calm wind.")] = 2.0,
    only: Annotated[
        str | None, typer.Option(help="Between commas: conditions whose names hold one.")
    ] = None,
    write_docs: Annotated[
        bool, typer.Option("--write-docs", help="Write docs/reality.json and the page's table.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Judge models on machines that differ from what they were made for, commissioned and not."""
    fleet = fleet_with_cloud()
    packages = model or sorted(FACTORY.glob(f"*/{PACKAGE_FILE}"))
    options: dict[str, object] = {"--hours": hours, "--home": fleet.home, "--only": only}
    if write_docs:
        if model or only:
            raise typer.BadParameter("the page is of the factory's models and all conditions")
        options["--docs"] = require_checkout("--write-docs") / "docs"
    named = [word for package in packages for word in ("--model", package)]
    training("reality", *named, *given(options), *flags({"--json": json}))


@app.command()
def drift(
    model: Annotated[
        Path | None, typer.Option(help="A package; the one in service if not given.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Recordings of a site.")] = None,
    from_lake: LakeOption = False,
    turbine_type: TypeOption = None,
    json: JsonOption = False,
) -> None:
    """Say whether a model still fits a site's turbines, and what of its data has moved."""
    if (data is None) is not from_lake:
        raise typer.BadParameter("give one of --data and --from-lake", param_hint="--data")
    fleet = fleet_with_cloud()
    package = model or _served(fleet, model_of(data, default_type(turbine_type, data))[1])
    output.report(f"model {package}")
    options = {
        "--model": package,
        "--home": fleet.home,
        "--data": data,
        "--captures": captures(fleet) if from_lake else None,
    }
    training("drift", *given(options), *flags({"--json": json}))


@app.command()
def card(package: Annotated[Path, typer.Argument(help="A model package.")]) -> None:
    """Print the card of a package: what it is for, how it did, what it cannot do."""
    training("card", package)


app.command()(registry.register)
app.command()(registry.approve)
app.command()(registry.promote)
app.command("list")(registry.list_)


def _served(fleet: Fleet, name: str) -> Path:
    """The package in service; of a model that none is of, the newest."""
    return in_service(fleet, name) or newest_package(fleet, name)
