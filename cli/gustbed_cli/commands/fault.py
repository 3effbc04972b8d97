"""``gustbed fault inject`` and ``gustbed fault clear``."""

from typing import Annotated

import typer

from gustbed_cli import output
from gustbed_cli.commands.common import JsonOption
from gustbed_cli.commands.running import tell
from gustbed_core.commands import Command
from gustbed_core.violations import INJECTABLE, Violation

app = typer.Typer(help="Inject faults into turbines, and clear them.", no_args_is_help=True)

Turbine = Annotated[str, typer.Argument(help="Turbine, for instance wt03.")]


def _known(kind: str | None) -> str | None:
    from gustbed_twin.utility.faults import CATALOGUE

    if kind is not None and kind not in (*Violation, *CATALOGUE):
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(CATALOGUE)}")
    return kind


KINDS = "rotation, voltage or vibration; a utility type has more: see `gustbed twin faults`."


@app.command()
def inject(
    turbine: Turbine,
    kind: Annotated[str, typer.Argument(help=f"What goes wrong: {KINDS}", callback=_known)],
    severity: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="From 0 to 1; found from about 0.2.")
    ] = 1.0,
    ramp: Annotated[
        float, typer.Option(min=0.0, max=86_400.0, help="Seconds to full severity.")
    ] = 0.0,
    signal: Annotated[str, typer.Option(help="The channel of a sensor's fault.")] = "",
    json: JsonOption = False,
) -> None:
    """Start a fault on a turbine."""
    violation, fault = _split(kind)
    command = Command("inject", violation, severity, ramp, fault=fault, signal=signal)
    _send(turbine, command, json)


@app.command()
def clear(
    turbine: Turbine,
    kind: Annotated[
        str | None, typer.Argument(help="One kind; all if not given.", callback=_known)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Stop one fault of a turbine, or all."""
    violation, fault = (None, "") if kind is None else _split(kind)
    _send(turbine, Command("clear", violation, fault=fault), json)


def _split(kind: str) -> tuple[Violation | None, str]:
    """The injections that every turbine takes go by their own field, the others by name."""
    return (Violation(kind), "") if kind in INJECTABLE else (None, kind)


def _send(turbine: str, command: Command, json: bool) -> None:
    ack = tell(turbine, command)
    if json:
        output.emit_json(ack)
        return
    what = command.fault or f"{command.kind or 'every fault'}"
    done = f"{what}, severity {command.severity}" if command.action == "inject" else what
    typer.echo(f"{turbine}: {command.action} {done}: accepted")
