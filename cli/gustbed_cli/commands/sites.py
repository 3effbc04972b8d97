"""``gustbed site``: further sites of the fleet, each with broker, edge and turbines of its own."""

import os
from typing import Annotated

import msgspec
import typer

from gustbed_cli import output
from gustbed_cli.commands.common import JsonOption, fleet_with_cloud
from gustbed_cli.commands.fleet import print_site
from gustbed_cli.elsewhere import sites as elsewhere
from gustbed_cli.fleet import Fleet, load_fleet
from gustbed_cli.record import Record
from gustbed_cli.runtime import joining
from gustbed_cli.runtime.selection import current_backend
from gustbed_cli.sites import find_site, new_record, sites_of
from gustbed_cli.status import site_status, wait_for_cloud
from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings, load
from gustbed_core.turbine_types import load_type

app = typer.Typer(
    help="Sites of the fleet: each a broker, an edge and turbines of its own, one cloud for all.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="The site, for instance site-2.")]
Turbines = Annotated[int | None, typer.Option(min=1, max=10_000, help="How many it has.")]
Type = Annotated[
    str | None, typer.Option("--type", help="What they are: a type's name, or its YAML file.")
]


@app.command()
def add(
    name: Name,
    turbines: Turbines = None,
    turbine_type: Type = None,
    twin: Annotated[
        bool, typer.Option("--twin/--no-twin", help="Simulate them; else sensors publish.")
    ] = True,
    on: Annotated[
        str | None,
        typer.Option(help="Another machine with a Docker engine: ssh://pi@garden, pi@garden."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Let a site join the fleet that runs here: enrolled, and on networks of its own."""
    fleet = _running()
    there = elsewhere.find_remote(fleet, name)
    if there is None or on is None or there.on != on:
        elsewhere.require_new(fleet, name)
    if on is not None:
        site = elsewhere.RemoteSite(
            site=name,
            on=on,
            turbines=turbines or fleet.site.turbines,
            turbine_type=_known(turbine_type),
            twin=twin,
            tag=os.environ.get("GUSTBED_TAG") or "latest",
            settings=elsewhere.settings_of(os.environ),
        )
        elsewhere.put(fleet, site, output.report)
        _show_remote(site, json)
        return
    record = new_record(
        fleet,
        name,
        turbines=turbines or fleet.site.turbines,
        turbine_type=_known(turbine_type),
        twin=twin,
    )
    _started(joining.add(fleet, record, output.report), json)


@app.command(name="list")
def list_(json: JsonOption = False) -> None:
    """List the fleet's sites: those here with how they are, and where the others run."""
    fleet = load_fleet()
    found = [(site, site_status(site, current_backend(site))) for site in sites_of(fleet)]
    remote = elsewhere.remote_sites(fleet)
    if json:
        output.emit_json([*(status for _, status in found), *remote])
        return
    output.table(
        "Sites",
        ["site", "turbines", "type", "edge", "cloud", "broker", "edge's HTTP"],
        (
            (
                site.site.site,
                site.site.turbines,
                ", ".join(sorted({turbine.type for turbine in status.turbines})) or None,
                status.edge.thing if status.turbines else "silent",
                "connected" if status.edge.connected else "not connected",
                f"127.0.0.1:{site.place.port_mqtt}",
                site.edge_url,
            )
            for site, status in found
        ),
    )
    for away in remote:
        typer.echo(
            f"{away.site}: {away.turbines} turbines on {away.on}: `gustbed site show {away.site}`"
        )


@app.command()
def show(name: Name, json: JsonOption = False) -> None:
    """Show one site: its services, edge and turbines."""
    away = elsewhere.find_remote(load_fleet(), name)
    if away is not None:
        _show_remote(away, json)
        return
    _show(find_site(load_fleet(), name), json)


@app.command()
def update(
    name: Name,
    turbines: Turbines = None,
    turbine_type: Type = None,
    twin: Annotated[
        bool | None, typer.Option("--twin/--no-twin", help="Simulate its turbines.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Change a further site; its edge keeps its identity, models and buffer.

    One on another machine also gets the images that are here now, and needs nothing to be said.
    """
    fleet = _running()
    wanted = {
        "turbines": turbines,
        "turbine_type": _known(turbine_type) if turbine_type is not None else None,
        "twin": twin,
    }
    said = {key: value for key, value in wanted.items() if value is not None}
    away = elsewhere.find_remote(fleet, name)
    if away is not None:
        tag = os.environ.get("GUSTBED_TAG") or away.tag
        away = msgspec.structs.replace(away, **said, tag=tag)
        elsewhere.put(fleet, away, output.report)
        _show_remote(away, json)
        return
    site, before = _further(fleet, name)
    if not said:
        raise typer.BadParameter("say what is to change: --turbines, --type, --twin or --no-twin")
    record = msgspec.structs.replace(before, **said)
    _started(joining.start(site.first, record, output.report), json)


@app.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: JsonOption = False,
) -> None:
    """Take a further site out of the fleet: its identity in the cloud, keys, events and buffer."""
    fleet = _running()
    away = elsewhere.find_remote(fleet, name)
    site = None if away is not None else _further(fleet, name)[0]
    if not yes:
        typer.confirm(f"Delete {name} with its keys, events and models?", abort=True, err=True)
    if away is not None:
        elsewhere.take_away(fleet, away, output.report)
    elif site is not None:
        joining.remove(site, output.report)
    if json:
        output.emit_json({"site": name, "state": "removed"})


def _running() -> Fleet:
    fleet = fleet_with_cloud()
    if fleet.record is None or not current_backend(fleet).is_running():
        raise GustbedError(f"no fleet runs from {fleet.home}", "run `gustbed up` first")
    return fleet


def _further(fleet: Fleet, name: str) -> tuple[Fleet, Record]:
    site = find_site(fleet, name)
    if site.joins is None or site.record is None:
        raise GustbedError(
            f"{name} is the fleet's first site",
            "change it by GUSTBED_TURBINES and GUSTBED_TWIN_TYPE at `gustbed up`, "
            "stop it with all others by `gustbed down`",
        )
    return site, site.record


def _known(turbine_type: str | None) -> str:
    """A type that there is; as given. Raises ``GustbedError`` naming those that there are."""
    if turbine_type:
        load_type(turbine_type, load(SiteSettings).types_dir)
    return turbine_type or ""


def _started(site: Fleet, json: bool) -> None:
    wait_for_cloud(site, output.report)
    _show(site, json)


def _show_remote(site: elsewhere.RemoteSite, json: bool) -> None:
    rows = elsewhere.services_of(site)
    if json:
        names = ("name", "state", "health")
        services = [dict(zip(names, row, strict=True)) for row in rows]
        output.emit_json({**msgspec.to_builtins(site), "services": services})
        return
    headers = ["service", "state", "health"]
    output.table(f"{site.site}: {site.turbines} turbines on {site.on}", headers, rows)


def _show(site: Fleet, json: bool) -> None:
    backend = current_backend(site)
    status = site_status(site, backend)
    if json:
        output.emit_json({"services": backend.statuses(), **msgspec.to_builtins(status)})
        return
    print_site(status)
