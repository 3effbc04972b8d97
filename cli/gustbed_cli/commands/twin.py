"""``gustbed twin …``: turbine types, curves, wakes, datasets, what-if, validation."""

from contextlib import ExitStack
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gustbed_cli import live_farm
from gustbed_cli.checkout import base_folder
from gustbed_cli.commands import calibrated
from gustbed_cli.commands.common import JsonOption, SiteOption
from gustbed_cli.output import emit_json, table
from gustbed_cli.setup import ensure
from gustbed_core.commands import Action as Act
from gustbed_core.commands import Command
from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings, load
from gustbed_core.turbine_types import known_types

TYPES = f"{', '.join(known_types())}, one of GUSTBED_TYPES_DIR"

app = typer.Typer(
    help="The digital twin: types, physics, datasets. A live farm's turbines are all alike unless"
    " GUSTBED_TWIN_VARIATION (say 0.1) gives each constants of its own.",
    no_args_is_help=True,
)
app.command()(calibrated.fit)
app.command()(calibrated.mirror)
TypeOption = Annotated[str, typer.Option("--type", help=f"{TYPES}, or a YAML file.")]
ScenarioOption = Annotated[Path | None, typer.Option(help="YAML: what happens and when.")]
VariationOption = Annotated[
    float,
    typer.Option(
        min=0, max=0.3, help="Each turbine's constants are within 1 ± this of its type's."
    ),
]
LayoutOption = Annotated[Path | None, typer.Option(help="YAML: where the turbines stand.")]


class Action(StrEnum):
    """What a turbine can be told."""

    STOP = "stop"
    START = "start"
    CURTAIL = "curtail"
    YAW = "yaw"
    PITCH = "pitch"
    RESET = "reset"


_ACTIONS: dict[Action, Act] = {
    Action.STOP: "stop",
    Action.START: "start",
    Action.CURTAIL: "curtail",
    Action.YAW: "yaw_offset",
    Action.PITCH: "pitch_offset",
    Action.RESET: "reset",
}
USUAL_WINDS = ",".join(str(wind) for wind in range(3, 26))


@app.callback()
def _prepare() -> None:
    ensure("twin")


@app.command()
def types(json: JsonOption = False) -> None:
    """List the turbine types."""
    from gustbed_twin.physics.registry import summaries

    rows = summaries(_types_dir())
    if json:
        emit_json(rows)
        return
    headers = ("type", "model", "title", "rated kW", "rotor m", "channels", "Hz", "file")
    table("Turbine types", headers, [tuple(row.values()) for row in rows])


@app.command()
def faults(turbine_type: TypeOption = "nrel_5mw", json: JsonOption = False) -> None:
    """List the faults of a type: cause, and the signals that each moves."""
    from gustbed_twin.physics.registry import load_physics

    physics = load_physics(turbine_type, _types_dir())
    signals = {name: each.signals(physics.turbine_type) for name, each in physics.faults.items()}
    if json:
        emit_json({
            name: {"cause": fault.cause, "signals": signals[name], "any_signal": fault.any_signal}
            for name, fault in physics.faults.items()
        })  # fmt: skip
        return
    rows = [
        (name, fault.cause, "the one named" if fault.any_signal else ", ".join(signals[name]))
        for name, fault in physics.faults.items()
    ]
    table("Faults", ("fault", "cause", "signals"), rows)


@app.command()
def curve(
    turbine_type: TypeOption = "nrel_5mw",
    winds: Annotated[str, typer.Option(help="Speeds in m/s, between commas.")] = USUAL_WINDS,
    json: JsonOption = False,
) -> None:
    """Steady state at each wind: power, speeds, pitch, thrust."""
    from gustbed_twin.farms.steady import steady_curve
    from gustbed_twin.turbine.variable_speed import load_variable_speed, parse_numbers

    of = load_variable_speed(turbine_type, _types_dir())
    points = steady_curve(of, parse_numbers("--winds", winds))
    rows = [asdict(point) for point in points]
    if json:
        emit_json(rows)
        return
    cells = [[round(value, 4) for value in row.values()] for row in rows]
    table(f"Steady states of {turbine_type}", tuple(rows[0]), cells)


@app.command()
def wake(
    layout: Annotated[Path, typer.Option(help="YAML: turbines as [east, north] in m, or a grid.")],
    speed: Annotated[float, typer.Option(min=0.5, max=60, help="Free wind, m/s.")] = 8.0,
    direction: Annotated[float, typer.Option(min=0, max=360, help="Where it comes from.")] = 270.0,
    turbine_type: TypeOption = "nrel_5mw",
    model: Annotated[str, typer.Option(help="jensen or gauss.")] = "gauss",
    turbulence: Annotated[float, typer.Option(min=0.01, max=0.5, help="Ambient.")] = 0.10,
    json: JsonOption = False,
) -> None:
    """Power and effective wind of every turbine in the others' wakes, by FLORIS."""
    from gustbed_twin.turbine.variable_speed import load_variable_speed
    from gustbed_twin.wake.layouts import read_layout
    from gustbed_twin.wake.table import wake_state

    of = load_variable_speed(turbine_type, _types_dir())
    places = read_layout(layout, of.physics.geometry.rotor_diameter_m)
    states = wake_state(of, places, speed, direction, model, turbulence)
    rows = [
        {
            "turbine": state.name,
            "x_m": float(place[0]),
            "y_m": float(place[1]),
            "power_kw": round(state.power_kw, 3),
            "effective_wind_ms": round(state.effective_wind_ms, 4),
        }
        for state, place in zip(states, places, strict=True)
    ]
    if json:
        emit_json({
            "type": of.name, "model": model, "speed_ms": speed, "direction_deg": direction,
            "turbulence": turbulence, "turbines": rows,
        })  # fmt: skip
        return
    title = f"{model}, {speed:g} m/s from {direction:g}°"
    table(title, tuple(rows[0]), [tuple(row.values()) for row in rows])


@app.command()
def generate(
    hours: Annotated[float, typer.Option(min=1e-5, max=24 * 366, help="Simulated hours.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    turbine_type: TypeOption = "nrel_5mw",
    turbines: Annotated[int, typer.Option(min=1, max=10_000)] = 6,
    seed: Annotated[int, typer.Option(min=0)] = 42,
    scenario: ScenarioOption = None,
    wind: Annotated[
        float | None, typer.Option(min=0.1, max=60, help="Mean wind, in the type's unit.")
    ] = None,
    turbulence: Annotated[float | None, typer.Option(min=0, max=0.5)] = None,
    variation: VariationOption = 0.0,
    layout: LayoutOption = None,
    wake_model: Annotated[str, typer.Option("--wake", help="none, jensen or gauss.")] = "none",
    shard: Annotated[str, typer.Option(help="i/N: only this part of the farm.")] = "1/1",
    force: Annotated[bool, typer.Option(help="Replace a dataset that is there.")] = False,
    json: JsonOption = False,
) -> None:
    """Write a labelled dataset to Parquet, far faster than real time."""
    from gustbed_twin.datasets.request import DatasetRequest, write

    request = DatasetRequest(
        turbine_type, turbines, hours, seed, scenario, wind, turbulence, layout, wake_model, shard,
        types_dir=_types_dir(), variation=variation,
    )  # fmt: skip
    card = write(request, out, force=force)
    if json:
        emit_json(card)
        return
    table(
        str(out),
        ("turbines", "samples each", "channels", "labels"),
        [(len(card["turbines"]), card["samples"], len(card["channels"]), len(card["labels"]))],
    )


@app.command()
def whatif(
    hours: Annotated[float, typer.Option(min=1e-4, max=1000, help="Farm time.")] = 1.0,
    live: Annotated[bool, typer.Option("--live", help="Only of the running farm.")] = False,
    checkpoint: Annotated[Path | None, typer.Option(help="Fork the farm of this file.")] = None,
    turbine_type: Annotated[
        str | None, typer.Option("--type", help=f"A fresh farm's type: {TYPES}.")
    ] = None,
    turbines: Annotated[int | None, typer.Option(min=1, max=10_000, help="Its size.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Its seed.")] = None,
    settle: Annotated[float | None, typer.Option(min=0, help="It runs so many s before.")] = None,
    mean: Annotated[float | None, typer.Option(min=0.1, max=60, help="Its wind.")] = None,
    variation: Annotated[
        float | None, typer.Option(min=0, max=0.3, help="How much its turbines differ.")
    ] = None,
    wind: Annotated[float | None, typer.Option(min=0.1, max=60, help="Wind then.")] = None,
    turbulence: Annotated[float | None, typer.Option(min=0, max=0.5, help="Then.")] = None,
    direction: Annotated[float | None, typer.Option(min=0, max=360, help="Then.")] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(help="wt01:stop, wt01:curtail=2000, wt01:icing=0.8; may be repeated."),
    ] = None,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Fork a farm, run it on with and without a change, and compare.

    It is the farm that runs here as of now, unless a checkpoint or a fresh farm is described.
    """
    from gustbed_twin.scenarios.whatif import Question, ask
    from gustbed_twin.wind.request import Wind

    fresh = (turbine_type, turbines, seed, settle, mean, variation)
    if live and (checkpoint is not None or any(each is not None for each in fresh)):
        raise typer.BadParameter("--live goes with no other farm")
    with ExitStack() as stack:
        if checkpoint is None and all(each is None for each in fresh):
            checkpoint = _running_farm(stack, site, live=live)
            forked = checkpoint is not None
        else:
            forked = False
        comparison = ask(
            Question(
                turbine_type or "nrel_5mw", turbines or 6, 42 if seed is None else seed,
                60.0 if settle is None else settle, mean, checkpoint, tuple(change or ()),
                _types_dir(), variation or 0.0,
            ),
            hours * 3600.0,
            Wind(mean=wind, turbulence=turbulence, direction=direction),
        )  # fmt: skip
    of = "the running farm" if forked else str(checkpoint or "a fresh farm")
    if json:
        emit_json({"farm": of, **asdict(comparison)})
        return
    rows = [
        (a.turbine, a.mean_power_kw, b.mean_power_kw, a.max_rotor_rpm, b.max_rotor_rpm, b.mode)
        for a, b in zip(comparison.before, comparison.after, strict=True)
    ]
    headers = ("turbine", "kW before", "kW after", "max rpm before", "after", "then")
    table(f"What if, of {of}, over {hours:g} h", headers, rows)
    before, after = comparison.energy_kwh_before, comparison.energy_kwh_after
    if before is not None and after is not None:
        print(f"{before:,.0f} kWh before, {after:,.0f} after")


def _running_farm(stack: ExitStack, site: str | None, *, live: bool) -> Path | None:
    """A checkpoint of the farm that runs here; None if there is none."""
    if not live and not live_farm.is_running():
        return None
    return stack.enter_context(live_farm.checkpoint_file(site))


def _types_dir() -> Path | None:
    return load(SiteSettings).types_dir


@app.command()
def command(
    turbine: Annotated[str, typer.Argument(help="Turbine, for instance wt03.")],
    action: Annotated[Action, typer.Argument(help="What it is to do.")],
    value: Annotated[
        float | None, typer.Option(help="curtail: kW, 0 lifts it; yaw, pitch: degrees.")
    ] = None,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Tell a turbine of the running farm what to do, and wait for its answer."""
    if (value is None) == (action in (Action.CURTAIL, Action.YAW, Action.PITCH)):
        raise typer.BadParameter(f"{action} {'needs a' if value is None else 'takes no'} --value")
    ack = live_farm.send_command(turbine, Command(_ACTIONS[action], value=value), site)
    if json:
        emit_json(ack)
        return
    print(f"{turbine}: {action}{'' if value is None else f' {value:g}'}: accepted")


@app.command()
def checkpoint(
    out: Annotated[Path, typer.Option(help="File to write.")],
    turbine: Annotated[
        str | None, typer.Option(help="Of a farm in shards, the one that simulates it.")
    ] = None,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Write the running farm's state as of now, for what-if and to resume from."""
    state = live_farm.checkpoint_now(turbine, site)
    try:
        out.write_bytes(state)
    except OSError as error:
        raise GustbedError(f"--out {out}: {error.strerror}", "name a file to write") from error
    if json:
        emit_json({"file": str(out), "bytes": len(state)})
        return
    print(f"{out}: {len(state)} bytes")


@app.command()
def validate(
    out: Annotated[
        Path | None, typer.Option(help="Where validation.md and its images go; docs if not given.")
    ] = None,
    quick: Annotated[bool, typer.Option(help="Do not write; fewer series.")] = False,
    json: JsonOption = False,
) -> None:
    """Measure every claim about the physics, print the table, write docs/validation.md."""
    from gustbed_twin.validation.report import validate as run

    claims = run(None if quick else out or base_folder() / "docs")
    if json:
        emit_json([asdict(claim) for claim in claims])
    else:
        rows = [(c.claim, c.bound, c.measured, "yes" if c.kept else "NO") for c in claims]
        table("Validation", ("claim", "bound", "measured", "kept"), rows)
    if not all(claim.kept for claim in claims):
        raise typer.Exit(1)
