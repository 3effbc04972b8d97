"""``gustbed fault inject`` and ``gustbed fault clear``."""

from typing import Annotated

import typer

from gustbed_cli import output
from gustbed_cli.commands.common import JsonOption, SiteOption
from gustbed_cli.live_farm import send_command
from gustbed_core.commands import Command
from gustbed_core.event_kinds import INJECTABLE, EventKind

app = typer.Typer(help="Inject faults into turbines, and clear them.", no_args_is_help=True)

Turbine = Annotated[str, typer.Argument(help="Turbine, for instance wt03.")]


def _known(fault: str | None) -> str | None:
    from gustbed_twin.physics.registry import fault_kinds

    if fault is not None and fault not in fault_kinds():
        raise typer.BadParameter(f"{fault!r} is none of {', '.join(fault_kinds())}")
    return fault


FAULTS = "rotation, voltage or vibration; a utility type has more: see `gustbed twin faults`."


@app.command()
def inject(
    turbine: Turbine,
    fault: Annotated[str, typer.Argument(help=f"What goes wrong: {FAULTS}", callback=_known)],
    severity: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="From 0 to 1; found from about 0.2.")
    ] = 1.0,
    ramp: Annotated[
        float, typer.Option(min=0.0, max=86_400.0, help="Seconds to full severity.")
    ] = 0.0,
    signal: Annotated[str, typer.Option(help="The channel of a sensor's fault.")] = "",
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Start a fault on a turbine."""
    kind, name = _split(fault)
    command = Command("inject", kind, severity, ramp, fault=name, signal=signal)
    _send(turbine, command, site, json)


@app.command()
def clear(
    turbine: Turbine,
    fault: Annotated[
        str | None, typer.Argument(help="One fault; all if not given.", callback=_known)
    ] = None,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Stop one fault of a turbine, or all."""
    kind, name = (None, "") if fault is None else _split(fault)
    _send(turbine, Command("clear", kind, fault=name), site, json)


def _split(fault: str) -> tuple[EventKind | None, str]:
    """The injections that every turbine takes go by their own field, the others by name."""
    return (fault, "") if fault in INJECTABLE else (None, fault)


def _send(turbine: str, command: Command, site: str | None, json: bool) -> None:
    ack = send_command(turbine, command, site)
    if json:
        output.emit_json(ack)
        return
    what = command.fault or f"{command.kind or 'every fault'}"
    done = f"{what}, severity {command.severity}" if command.action == "inject" else what
    where = f"{turbine} of {site}" if site else turbine
    typer.echo(f"{where}: {command.action} {done}: accepted")
