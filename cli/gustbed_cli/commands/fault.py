"""``gustbed fault inject`` and ``gustbed fault clear``."""

from typing import Annotated

import typer

from gustbed_cli import output, site
from gustbed_cli.commands.common import JsonOption
from gustbed_cli.fleet import load_fleet
from gustbed_cli.runtime.choose import running_backend
from gustbed_protocol.commands import Command
from gustbed_protocol.errors import GustbedError
from gustbed_protocol.violations import Violation

app = typer.Typer(help="Inject faults into turbines, and clear them.", no_args_is_help=True)

Turbine = Annotated[str, typer.Argument(help="Turbine, for instance wt03.")]


@app.command()
def inject(
    turbine: Turbine,
    kind: Annotated[Violation, typer.Argument(help="What goes wrong.")],
    severity: Annotated[float, typer.Option(min=0.0, max=1.0, help="From 0 to 1.")] = 1.0,
    ramp: Annotated[float, typer.Option(min=0.0, help="Seconds to full severity.")] = 0.0,
    json: JsonOption = False,
) -> None:
    """Start a fault on a turbine."""
    _send(turbine, Command("inject", kind, severity, ramp), json)


@app.command()
def clear(
    turbine: Turbine,
    kind: Annotated[Violation | None, typer.Argument(help="One kind; all if not given.")] = None,
    json: JsonOption = False,
) -> None:
    """Stop one fault of a turbine, or all."""
    _send(turbine, Command("clear", kind), json)


def _send(turbine: str, command: Command, json: bool) -> None:
    fleet = load_fleet()
    known = fleet.site.turbine_ids
    if turbine not in known:
        raise GustbedError(
            f"turbine {turbine!r} does not exist", f"use one of {known[0]} to {known[-1]}"
        )
    ack = site.send_command(running_backend(fleet).operator(), fleet.site.site, turbine, command)
    if not ack.accepted:
        raise GustbedError(f"turbine {turbine} refused", ack.reason)
    if json:
        output.emit_json(ack)
        return
    what = f"{command.kind or 'every fault'}"
    done = f"{what}, severity {command.severity}" if command.action == "inject" else what
    typer.echo(f"{turbine}: {command.action} {done}: accepted")
