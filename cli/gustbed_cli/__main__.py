"""``gustbed``: exit codes 0 done, 1 failed, 2 wrong usage."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from gustbed_cli.commands import (
    bench,
    cloud,
    cloud_stack,
    commission,
    data,
    events,
    fault,
    fleet,
    model,
    sites,
    twin,
)
from gustbed_core.errors import GustbedError

app = typer.Typer(
    name="gustbed",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(fleet.up)
app.command()(fleet.down)
app.command()(fleet.status)
app.command()(fleet.logs)
app.command()(events.events)
app.command()(cloud.jobs)
app.command()(cloud.enrol)
app.command()(cloud_stack.deploy)
app.add_typer(cloud_stack.app, name="cloud")
app.add_typer(sites.app, name="site")
app.add_typer(fault.app, name="fault")
app.add_typer(commission.app, name="commission")
app.add_typer(data.app, name="data")
app.add_typer(model.app, name="model")
app.add_typer(bench.app, name="bench")
app.add_typer(twin.app, name="twin")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gustbed {version('gustbed-cli')}")
        raise typer.Exit


@app.callback()
def _global_options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    """A wind farm, its edge ML and its cloud, on one laptop."""


def main() -> None:
    """Run a command; a failure that a person can mend is one line and exit code 1."""
    try:
        app()
    except GustbedError as error:
        print(f"gustbed: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
