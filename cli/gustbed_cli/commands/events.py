"""``gustbed events``."""

import time
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from gustbed_cli import output, site
from gustbed_cli.commands.common import JsonOption, SiteOption
from gustbed_cli.live_farm import site_of_environment, started_site
from gustbed_cli.sites import sites_of
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
    site_name: SiteOption = None,
) -> None:
    """List the anomaly events that edges, and mirrors beside turbines, have found.

    Of every site of the fleet, unless one is named.
    """
    edges = _edges(site_name or site_of_environment())
    if follow:
        for event in _changes(edges, since):
            if json:
                output.emit_json(_row(event))
            else:
                typer.echo(_line(event))
        return
    found = _events(edges, since)
    if json:
        output.emit_json([_row(event) for event in found])
        return
    output.table(
        "Anomaly events (UTC)",
        ["site", "turbine", "kind", "carried by", "opened", "closed", "peak score", "model", "id"],
        (
            (
                event.site,
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


def _edges(name: str | None) -> list[str]:
    """The addresses of the edges to ask: one site's, or every site's."""
    chosen = started_site(name)
    if name is not None:
        return [chosen.edge_url]
    return [each.edge_url for each in sites_of(chosen)]


def _events(edges: Iterable[str], since: float) -> list[AnomalyEvent]:
    """Events of several edges, in order of opening. One that does not answer is said, and left out,
    while another does. Raises ``GustbedError`` if none does.
    """
    found: list[AnomalyEvent] = []
    silent: list[GustbedError] = []
    asked = 0
    for edge in edges:
        asked += 1
        try:
            found += site.events(edge, since)
        except GustbedError as error:
            silent.append(error)
    if len(silent) == asked:
        raise silent[0]
    for missing in silent:
        output.report(str(missing))
    return sorted(found, key=lambda event: event.opened)


def _changes(edges: list[str], since: float) -> Iterator[AnomalyEvent]:
    seen: dict[str, AnomalyEvent] = {}
    _events(edges, since)
    while True:
        try:
            found = _events(edges, since)
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
    who = f"{event.site} {event.turbine}"
    return f"{when} UTC {who} {event.kind} {event.change}, {peak}{carried}{by}{why}"
