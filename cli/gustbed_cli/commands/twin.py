"""``gustbed twin …``: turbine types, curves, wakes, datasets, what-if, validation."""

from dataclasses import asdict
from typing import Annotated

import typer

from gustbed_cli.commands.common import JsonOption
from gustbed_cli.output import emit_json, table

app = typer.Typer(help="The digital twin: types, physics, datasets.", no_args_is_help=True)
TypeOption = Annotated[str, typer.Option("--type", help="A type's name, or its YAML file.")]


@app.command()
def types(json: JsonOption = False) -> None:
    """List the turbine types."""
    from gustbed_twin.turbine_types import summaries

    rows = summaries()
    if json:
        emit_json(rows)
        return
    headers = ("type", "model", "title", "rated kW", "rotor m", "channels", "Hz", "file")
    table("Turbine types", headers, [tuple(row.values()) for row in rows])


@app.command()
def curve(
    kind: TypeOption = "nrel_5mw",
    winds: Annotated[str, typer.Option(help="Wind speeds in m/s, separated by commas.")] = ",".join(
        str(wind) for wind in range(3, 26)
    ),
    json: JsonOption = False,
) -> None:
    """Steady state at each wind: power, speeds, pitch, thrust."""
    from gustbed_twin.turbine_types import load_utility_type, parse_numbers
    from gustbed_twin.utility.steady import steady_curve

    points = steady_curve(load_utility_type(kind), parse_numbers("--winds", winds))
    rows = [asdict(point) for point in points]
    if json:
        emit_json(rows)
        return
    headers = tuple(rows[0]) if rows else ()
    cells = [[round(value, 4) for value in row.values()] for row in rows]
    table(f"Steady states of {kind}", headers, cells)
