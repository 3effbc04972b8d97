"""``gustbed twin fit`` and ``gustbed twin mirror``: a twin of one turbine, and beside it."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gustbed_cli.commands.common import JsonOption, SiteOption
from gustbed_cli.live_farm import started_site
from gustbed_cli.output import clock, emit_json, report, table
from gustbed_cli.runtime.selection import current_backend
from gustbed_core.events import AnomalyEvent
from gustbed_core.mirror import Mirrored
from gustbed_core.settings import SiteSettings, load
from gustbed_core.turbine_types import known_types, load_type

if TYPE_CHECKING:
    from gustbed_twin.fitting.report import Report

_TYPES = f"{', '.join(known_types())}, one of GUSTBED_TYPES_DIR"


def fit(
    data: Annotated[
        list[Path],
        typer.Option(help="Recording (Parquet, CSV) or dataset's folder; may be repeated."),
    ],
    out: Annotated[Path, typer.Option(help="The type's file to write, such as my_turbine.yaml.")],
    turbine_type: Annotated[
        str, typer.Option("--type", help=f"The type to start from: {_TYPES}, or a YAML file.")
    ] = "mini",
    turbine: Annotated[str, typer.Option(help="Which turbine of a folder.")] = "wt01",
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="Ten-minute means in CSV: wind_speed=NAME, active_power=NAME, rotor_speed=NAME."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Fit a type's constants to one sound turbine's recordings, and write them as a type.

    Says how sure each constant is and how well the twin then follows what was held out, with a
    picture beside the file. The file drives `twin generate --type`, training and the live twin.
    """
    from gustbed_twin.fitting.fit import FitRequest, fit
    from gustbed_twin.fitting.report import as_json

    request = FitRequest(
        tuple(data), turbine_type, out, turbine, load(SiteSettings).types_dir, tuple(column or ())
    )
    found, picture = fit(request, report)
    if json:
        emit_json({"file": str(out), "picture": str(picture), **as_json(found)})
        return
    _show(found)
    print(f"{out}, {picture}")


def _show(found: "Report") -> None:
    constants = [
        (
            each.name,
            f"{each.start:.5g}",
            f"{each.value:.5g}",
            f"{each.low:.5g} to {each.high:.5g}" if each.identified else "not identified",
            each.why,
        )
        for each in found.constants
    ]
    said = f"{found.fitted} {found.what} of recordings"
    table(f"Constants by {said}", ("constant", "start", "fitted", "95 %", ""), constants)
    follows = [
        (
            each.channel,
            each.unit,
            f"{each.bias:.3g}",
            f"{each.rmse:.3g}",
            f"{each.rmse_before:.3g}",
            f"{100 * each.coverage:.1f} %",
        )
        for each in found.followed
    ]
    headers = ("channel", "unit", "bias", "RMSE", "before", "in the 95 % band")
    table(f"Held out: {found.held_out} {found.what}", headers, follows)
    for note in found.notes:
        print(note)


def mirror(
    turbine: Annotated[str, typer.Argument(help="Turbine of the running site, such as wt03.")],
    turbine_type: Annotated[
        str, typer.Option("--type", help="The type that `gustbed twin fit` wrote: a file or name.")
    ],
    minutes: Annotated[int, typer.Option(min=0, help="End after so many; 0: never.")] = 0,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Run a fitted twin beside a live turbine: how far they are apart each minute, and events.

    The twin is kept in step by the wind that the turbine measures. Both go to the site's broker
    (`…/mirror`, `…/mirror/event`) and, as events, to the dashboard.
    """
    from gustbed_twin.mirror.service import MirrorRequest, Said, serve

    fleet = started_site(site)
    kind = load_type(turbine_type, load(SiteSettings).types_dir)
    stop = threading.Event()
    report(
        f"{turbine}: beside it a twin of type {kind.name}; the first minute takes one and a half"
    )

    def say(said: Said) -> None:
        if json:
            emit_json(said if not isinstance(said, str) else {"turbine": turbine, "none": said})
        elif isinstance(said, str):
            report(f"{turbine}: {said}")
        else:
            print(line_of(said), flush=True)

    try:
        serve(
            MirrorRequest(turbine, kind, minutes),
            fleet.site,
            current_backend(fleet).operator(),
            stop,
            say,
        )
    except KeyboardInterrupt:
        report(f"{turbine}: stopped")


def line_of(said: Mirrored | AnomalyEvent) -> str:
    """A minute or an event in one line."""
    if isinstance(said, AnomalyEvent):
        signals = ", ".join(said.signals)
        when = clock(said.closed if said.closed is not None else said.opened)
        return f"{when}  {said.turbine}  {said.change}: {said.kind} by {signals}, {said.peak_score}"
    parts = [
        f"{name} {each.measured:.4g} (expected {each.expected:.4g}, z {each.z:+.1f})"
        for name, each in said.channels.items()
    ]
    return f"{clock(said.t)}  {said.turbine}  {'; '.join(parts)}"
