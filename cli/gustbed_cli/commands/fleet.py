"""``gustbed up``, ``down``, ``status`` and ``logs``."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated

import typer

from gustbed_cli import output
from gustbed_cli.checkout import find_checkout
from gustbed_cli.commands.common import JsonOption, SiteOption, adopt
from gustbed_cli.fleet import (
    Fleet,
    FleetSettings,
    addresses_of,
    fleet_to_start,
    fleet_to_stop,
    load_fleet,
)
from gustbed_cli.live_farm import site_of_environment
from gustbed_cli.record import Record, read_record, write_record
from gustbed_cli.runtime import joining, preflight
from gustbed_cli.runtime.backend import RuntimeBackend
from gustbed_cli.runtime.selection import current_backend, select_backend
from gustbed_cli.sites import find_site, new_record, next_names, sites_of
from gustbed_cli.status import EdgeStatus, FleetStatus, SiteStatus, fleet_status, wait_for_cloud
from gustbed_core.commissioning.messages import CommissioningState
from gustbed_core.events import TurbineStatus
from gustbed_core.naming import natural
from gustbed_core.settings import load

REFUSALS_TOLD = 3
"""Turbines, a line each."""
LAG_TOLD = 60.0
"""Seconds of waiting for the cloud that are no longer a batch being gathered."""


def up(json: JsonOption = False) -> None:
    """Start the fleet and wait until every service of every site is healthy.

    RUNTIME=docker|process picks how; TARGET=local|aws picks the cloud; SITES and TURBINES say how
    many sites there are to be, and how many turbines each new one and the first have.
    """
    fleet = adopt(fleet_to_start())
    preflight.turbine_types(fleet)
    if fleet.target == "aws":
        preflight.aws_reachable()
    backend = select_backend(fleet, output.report)
    write_record(fleet.home, _record(fleet, backend))
    backend.up(output.report)
    started = replace(fleet, record=read_record(fleet.home))
    joining.start_all(started, _new_sites(started), output.report)
    for site in sites_of(started):
        wait_for_cloud(site, output.report)
    now = fleet_status(started, backend)
    if json:
        output.emit_json(now)
        return
    _print_services(now)
    typer.echo(f"\nDashboard: {fleet.dashboard_url}")


def down(
    delete_state: Annotated[
        bool, typer.Option("--delete-state", help="Also delete keys, models, buffers and logs.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Stop what `up` started, and nothing else."""
    fleet = fleet_to_stop()
    joining.stop_all(fleet, output.report, delete_state=delete_state)
    backend = current_backend(fleet)
    backend.down(output.report, delete_state=delete_state)
    if json:
        output.emit_json({"runtime": backend.name, "state": "stopped", "deleted": delete_state})


def status(json: JsonOption = False) -> None:
    """Show services, edge and turbines."""
    fleet = load_fleet()
    now = fleet_status(fleet, current_backend(fleet))
    if json:
        output.emit_json(now)
        return
    _print_services(now)
    for site in now.sites:
        typer.echo()
        print_site(site)


def print_site(site: SiteStatus) -> None:
    """A site's edge in a line, and its turbines in a table."""
    edge = site.edge
    models = ", ".join(_models(edge)) or "no model"
    cloud = "connected to the cloud" if edge.connected else "not connected to the cloud"
    waiting = f", {edge.buffered} messages waiting" if edge.buffered else ""
    if edge.buffered and edge.lag >= LAG_TOLD:
        waiting += f", the oldest for {edge.lag / 60:.0f} min"
    output.table(
        f"{site.site}: edge {edge.thing}, {cloud}, {models}{waiting}",
        ["turbine", "type", "state", "blocks", "lost", "score", "violations", "judged by"],
        (
            (
                t.id,
                t.type,
                t.state,
                t.blocks,
                t.lost,
                _score(t.score),
                ", ".join(t.violations) or None,
                _judged_by(t.commissioning),
            )
            for t in sorted(site.turbines, key=lambda turbine: natural(turbine.id))
        ),
    )
    for line in refusals(site.turbines):
        typer.echo(line)


def logs(
    service: Annotated[str | None, typer.Argument(help="One service; all if not given.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing.")] = False,
    site: SiteOption = None,
) -> None:
    """Print the logs of one service of a site, or of all."""
    # As `gustbed status` names it: site-2/edge.
    place, _, name = (service or "").rpartition("/")
    chosen = find_site(load_fleet(), site or place or site_of_environment())
    raise typer.Exit(current_backend(chosen).logs(name or None, follow=follow))


def _new_sites(fleet: Fleet) -> list[Record]:
    """How the sites join that SITES asks for and that are not there."""
    wanted = load(FleetSettings).sites or 1
    records: list[Record] = []
    for name in next_names(fleet, wanted):
        taken = [record.addresses for record in records]
        records.append(new_record(fleet, name, turbines=fleet.site.turbines, besides=taken))
    return records


def _record(fleet: Fleet, backend: RuntimeBackend) -> Record:
    return Record(
        runtime=backend.name,
        target=fleet.target,
        site=fleet.site.site,
        turbines=fleet.site.turbines,
        addresses=addresses_of(fleet.place),
        fleet=fleet.id,
        checkout=str(find_checkout() or ""),
        project=backend.project,
    )


def _print_services(now: FleetStatus) -> None:
    output.table(
        f"Services ({now.runtime}, target {now.target})",
        ["service", "state", "address", "memory MB", "restarts"],
        ((s.name, s.state, s.address, s.memory_mb, s.restarts) for s in now.services),
    )
    for service in now.services:
        if service.reason:
            typer.echo(f"{service.name}: {service.reason}")


def _models(edge: EdgeStatus) -> Iterator[str]:
    for turbine_type, model in edge.models.items():
        yield f"{model.name} {model.version}"
        shadow = edge.shadow_models.get(turbine_type)
        if shadow is not None:
            yield f"{shadow.model.version} in shadow"


def refusals(turbines: Sequence[TurbineStatus]) -> Iterator[str]:
    """Why nothing is made of what silent turbines send, a line each for the first few."""
    refused = [t for t in turbines if t.refused and t.state == "silent"]
    for turbine in refused[:REFUSALS_TOLD]:
        yield f"{turbine.id}: the edge refuses what it sends: {turbine.refused}"
    more = len(refused) - REFUSALS_TOLD
    if more > 0:
        yield f"{more} more turbines' blocks are refused: see `gustbed status --json`"


def _judged_by(state: CommissioningState | None) -> str | None:
    if state is None:
        return None
    judged = state.warning or {"factory": "factory", "own": f"own {state.version}"}[state.basis]
    running = "" if state.running is None else f", period {state.running:.0%}"
    learning = "" if state.learning is None else f", learning {state.learning:.0%}"
    return judged + running + learning + (", ready" if state.ready else "")


def _score(score: float | None) -> str | None:
    return None if score is None else f"{score:.2f}"
