"""One picture of the fleet: services, sites, turbines."""

from dataclasses import dataclass

from gustbed_cli import site
from gustbed_cli.fleet import Fleet, Runtime, Target
from gustbed_cli.runtime.model import RuntimeBackend, ServiceStatus
from gustbed_protocol.events import Heartbeat, ModelRef, TurbineStatus


@dataclass(frozen=True, slots=True)
class EdgeStatus:
    """The site's gateway. ``connected``: to the cloud. ``buffered``: messages waiting for it."""

    thing: str
    connected: bool
    model: ModelRef | None
    buffered: int
    rejected: dict[str, int]
    update: str | None


@dataclass(frozen=True, slots=True)
class SiteStatus:
    """A site with its edge and turbines."""

    site: str
    edge: EdgeStatus
    turbines: list[TurbineStatus]


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """What ``gustbed status --json`` prints."""

    runtime: Runtime
    target: Target
    services: list[ServiceStatus]
    sites: list[SiteStatus]


def fleet_status(fleet: Fleet, backend: RuntimeBackend) -> FleetStatus:
    """Look at everything; what does not answer is shown as such, never raised."""
    services = backend.statuses()
    broker_runs = any(row.name == "broker" and row.state == "healthy" for row in services)
    beat = site.heartbeat(backend.operator(), fleet.site.site) if broker_runs else None
    return FleetStatus(backend.name, fleet.target, services, [_site_status(fleet, beat)])


def _site_status(fleet: Fleet, beat: Heartbeat | None) -> SiteStatus:
    if beat is None or not site.is_fresh(beat):
        edge = EdgeStatus(fleet.site.thing, False, beat.model if beat else None, 0, {}, None)
        return SiteStatus(fleet.site.site, edge, [])
    edge = EdgeStatus(
        beat.thing, beat.connected, beat.model, beat.buffered, beat.rejected, beat.update
    )
    return SiteStatus(beat.site, edge, beat.turbines)
