"""``gustbed events``."""

import time
from collections.abc import Iterator
from typing import Annotated

import typer

from gustbed_cli import output, site
from gustbed_cli.commands.common import JsonOption
from gustbed_cli.live_farm import started_fleet
from gustbed_core.errors import GustbedError
from gustbed_core.events import AnomalyEvent
from gustbed_core.mirror import PREFIX, is_mirrors

LOOK_EVERY = 1.0
SIGNALS_SHOWN = 3


def events(
    json: JsonOption = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print changes as they come, a line each.")
    ] = False,
    since: Annotated[float, typer.Option(help="Opened after this Unix time, in seconds.")] = 0.0,
) -> None:
    """List the anomaly events that the site's edge, and mirrors beside its turbines, have found."""
    edge_url = started_fleet().edge_url
    if follow:
        for event in _changes(edge_url, since):
            if json:
                output.emit_json(_row(event))
            else:
                typer.echo(_line(event))
        return
    found = site.events(edge_url, since)
    if json:
        output.emit_json([_row(event) for event in found])
        return
    output.table(
        "Anomaly events (UTC)",
        ["turbine", "kind", "carried by", "opened", "closed", "peak score", "model", "id"],
        (
            (
                event.turbine,
                event.kind,
                ", ".join(event.signals[:SIGNALS_SHOWN]) or None,
                output.clock(event.opened),
                output.clock(event.closed) or "open",
                f"{event.peak_score:.2f}",
                f"{event.model.name} {event.model.version}",
                event.id.removeprefix(PREFIX)[:8],
            )
            for event in found
        ),
    )


def _changes(edge_url: str, since: float) -> Iterator[AnomalyEvent]:
    seen: dict[str, AnomalyEvent] = {}
    site.events(edge_url, since)
    while True:
        try:
            found = site.events(edge_url, since)
        except GustbedError as error:
            output.report(f"{error}; trying again")
            found = []
        for event in found:
            if seen.get(event.id) != event:
                seen[event.id] = event
                yield event
        time.sleep(LOOK_EVERY)


def _row(event: AnomalyEvent) -> dict[str, object]:
    return {
        "id": event.id,
        "site": event.site,
        "turbine": event.turbine,
        "kind": event.kind,
        "opened": event.opened,
        "closed": event.closed,
        "peak_score": event.peak_score,
        "model": event.model.name,
        "model_version": event.model.version,
        "signals": event.signals,
        "reason": event.reason,
    }


def _line(event: AnomalyEvent) -> str:
    when = output.clock(event.closed or event.opened)
    carried = f" ({', '.join(event.signals[:SIGNALS_SHOWN])})" if event.signals else ""
    peak = f"peak {event.peak_score:.2f}"
    by = f", by {event.model.name}" if is_mirrors(event) else ""
    why = f": {event.reason}" if event.reason else ""
    return f"{when} UTC {event.turbine} {event.kind} {event.change}, {peak}{carried}{by}{why}"
