"""``gustbed commission``: what a model expects, corrected per turbine from a normal period."""

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import typer

from gustbed_cli import output
from gustbed_cli.commands.common import JsonOption, SiteOption
from gustbed_cli.live_farm import commission, started_site
from gustbed_cli.site import commissioning
from gustbed_core.commissioning.messages import (
    DEFAULT_HOURS,
    FACTORY,
    MAX_HOURS,
    MIN_HOURS,
    PRIOR,
    PROVISIONAL,
    Action,
    CommissionAck,
    CommissionCommand,
    CommissioningInfo,
    CommissioningState,
    CorrectionInfo,
)
from gustbed_core.errors import GustbedError
from gustbed_core.naming import natural

app = typer.Typer(
    help="Correct what a model expects for single turbines, from a normal period of their own.",
    no_args_is_help=True,
)

LOOK_EVERY = 1.0
LOOKS_MISSED = 60
"""In a row, that an edge may leave unanswered while it restarts."""

Turbines = Annotated[
    list[str] | None, typer.Argument(help="Turbines, for instance wt03.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="Every turbine that it can be for.")]


@app.command()
def start(
    turbines: Turbines = None,
    every: All = False,
    hours: Annotated[
        float, typer.Option(min=MIN_HOURS, max=MAX_HOURS, help="Length of the normal period.")
    ] = DEFAULT_HOURS,
    accept: Annotated[
        bool, typer.Option("--accept", help="Put the result to work by itself, if it is normal.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the period to its end.")] = False,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Declare that turbines run normally from now on, and let the edge learn from it."""
    command = CommissionCommand("start", _named(turbines, every), hours, accept)
    ack = commission(command, site)
    if not wait:
        _tell(ack, f"a normal period of {hours:g} hours runs", json)
        return
    output.report(f"a period of {hours:g} hours runs on {_count(len(ack.done))}")
    _warn(ack)
    before = _versions(_asked(ack.done, site)) if ack.done else {}
    found = _follow(ack.done, site)
    if json:
        output.emit_json(found)
    else:
        _print(found)
    ended = ((each.turbine, _without_result(each, before)) for each in found)
    _fail(_refusals(ack) + [f"{turbine}: {why}" for turbine, why in ended if why])


@app.command()
def status(turbines: Turbines = None, site: SiteOption = None, json: JsonOption = False) -> None:
    """Show what each turbine is judged by, and how its period stands."""
    found = _asked(turbines or (), site)
    if json:
        output.emit_json(found)
    else:
        _print(found)


@app.command()
def accept(
    turbines: Turbines = None,
    every: All = False,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Put finished periods' corrections to work."""
    _do("accept", _named(turbines, every), site, "judged by its own correction", json)


@app.command()
def undo(
    turbines: Turbines = None,
    every: All = False,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Go back to the correction before, or to none."""
    _do("undo", _named(turbines, every), site, "its correction is undone", json)


@app.command()
def cancel(
    turbines: Turbines = None,
    every: All = False,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """End a period that runs, or drop one that waits for acceptance."""
    _do("cancel", _named(turbines, every), site, "its period is cancelled", json)


def _do(action: Action, turbines: list[str], site: str | None, done: str, json: bool) -> None:
    _tell(commission(CommissionCommand(action, turbines), site), done, json)


def _named(turbines: list[str] | None, every: bool) -> list[str]:
    if bool(turbines) == every:
        raise typer.BadParameter("name turbines, or give --all")
    if not all(turbines or ()):
        raise typer.BadParameter("a turbine's name is empty")
    return list(turbines or ())


def _tell(ack: CommissionAck, done: str, json: bool) -> None:
    if json:
        output.emit_json(ack)
    else:
        for turbine in sorted(ack.done, key=natural):
            typer.echo(f"{turbine}: {done}")
    _warn(ack)
    _fail(_refusals(ack))


def _refusals(ack: CommissionAck) -> list[str]:
    lines = [
        f"{each.turbine + ': ' if each.turbine else ''}{each.detail}: {each.remedy}"
        for each in ack.refused
    ]
    return lines + ([f"and {ack.more} more"] if ack.more else [])


def _warn(ack: CommissionAck) -> None:
    """Say what a restart would undo: the edge tries again, and nobody has to ask again."""
    for turbine in sorted(ack.unsaved, key=natural):
        print(
            f"gustbed: {turbine}: done, and not on disk yet: mend what `gustbed status` says of "
            "the edge's disk before it restarts",
            file=sys.stderr,
        )


def _fail(refusals: Sequence[str]) -> None:
    for line in refusals:
        print(f"gustbed: {line}", file=sys.stderr)
    if refusals:
        raise typer.Exit(1)


def _infos(site: str | None) -> list[CommissioningInfo]:
    return commissioning(started_site(site).edge_url)


def _asked(turbines: Iterable[str], site: str | None) -> list[CommissioningInfo]:
    wanted = set(turbines)
    found = _infos(site)
    chosen = [each for each in found if not wanted or each.turbine in wanted]
    unknown = sorted(wanted - {each.turbine for each in chosen})
    if unknown:
        raise GustbedError(f"{unknown[0]!r}: no such turbine", "see `gustbed status`")
    return sorted(chosen, key=lambda each: natural(each.turbine))


def _follow(turbines: Sequence[str], site: str | None) -> list[CommissioningInfo]:
    """Wait until no period of these runs; says how far they are."""
    told, missed = "", 0
    while turbines:
        try:
            found, missed = _asked(turbines, site), 0
        except GustbedError as error:
            missed += 1
            if missed >= LOOKS_MISSED:
                raise
            line = f"{error}; trying again"
        else:
            running = [each.state.running for each in found if each.state]
            shares = [share for share in running if share is not None]
            if not shares:
                return found
            line = f"a period runs on {_count(len(shares))}, the slowest at {min(shares):.0%}"
        if line != told:
            output.report(line)
            told = line
        time.sleep(LOOK_EVERY)
    return []


def _count(turbines: int) -> str:
    return "1 turbine" if turbines == 1 else f"{turbines} turbines"


def _versions(infos: Iterable[CommissioningInfo]) -> dict[str, set[str]]:
    """Of all corrections that are known of each turbine."""
    return {
        info.turbine: {
            each.version for each in (info.correction, info.waiting, *info.earlier) if each
        }
        for info in infos
    }


def _without_result(info: CommissioningInfo, before: Mapping[str, set[str]]) -> str:
    """Why a period that is over gave no correction; empty if it did."""
    if info.state is None:
        return "no model that can be commissioned serves it"
    if info.state.refused or _versions([info])[info.turbine] - before.get(info.turbine, set()):
        return info.state.refused
    return "its period ended without a result: somebody cancelled it, or undid what it gave"


def _print(infos: Sequence[CommissioningInfo]) -> None:
    for info in infos:
        typer.echo(f"{info.turbine}: {line_of(info)}")


def line_of(info: CommissioningInfo) -> str:
    """A turbine's commissioning in one line."""
    state = info.state
    if state is None:
        return "no model that can be commissioned serves it"
    parts = [_judged_by(state, info.correction)]
    if state.learning is not None:
        parts.append(f"learns what it shows unasked, {state.learning:.0%}")
    if state.running is not None:
        parts.append(f"a period runs, {state.running:.0%}")
    if info.waiting is not None:
        parts.append(f"waits for `gustbed commission accept`: {_correction(info.waiting)}")
    if state.refused:
        parts.append(f"refused: {state.refused}")
    if state.note:
        parts.append(state.note)
    return "; ".join(parts)


def _judged_by(state: CommissioningState, correction: CorrectionInfo | None) -> str:
    if state.basis == FACTORY:
        return "judged as the factory's machines are: it was calm by their measure"
    if state.basis == PRIOR or correction is None:
        joint = "," if state.differs else ":"
        return f"{state.warning}{joint} judged as widely as machines of its type differ"
    if state.basis == PROVISIONAL:
        return f"{state.warning} by what it showed unasked: {_correction(correction)}"
    return f"its own correction {_correction(correction)}"


def _correction(info: CorrectionInfo) -> str:
    shifts = ", ".join(f"{name} by {size:+.1f} usual errors" for name, size in info.shifts.items())
    room = ", ".join(f"{name} times {factor:.2f}" for name, factor in info.room.items())
    return (
        f"{info.version} ({info.model}, {info.hours:g} h, {output.clock(info.made)} UTC): "
        f"{shifts or 'no feature by as much as 0.1 usual errors'}; "
        f"{'limits widened: ' + room if room else 'no limit widened'}; "
        f"{info.blocks} calm blocks, so that another one alarms with a probability of at most "
        f"1/{info.blocks + 1}"
    )
