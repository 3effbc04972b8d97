"""One picture of the fleet: services, sites, turbines."""

import contextlib
import time
from dataclasses import dataclass, field, replace

import msgspec

from gustbed_cli import site
from gustbed_cli.fleet import Fleet
from gustbed_cli.record import Runtime, Target
from gustbed_cli.runtime import probes
from gustbed_cli.runtime.backend import Progress, RuntimeBackend, ServiceStatus
from gustbed_cli.runtime.selection import current_backend
from gustbed_cli.sites import sites_of
from gustbed_core import edge_http
from gustbed_core.errors import GustbedError
from gustbed_core.events import Comparison, Heartbeat, ModelRef, TurbineStatus

CONNECTED_WITHIN = 30.0
"""Seconds to wait for the edge's session with the cloud."""


@dataclass(frozen=True, slots=True)
class EdgeStatus:
    """The site's gateway. ``connected``: to the cloud. ``buffered``: messages waiting for it,
    ``lag``: for how many seconds the oldest has.

    ``models`` and ``shadow_models`` are by turbine type; ``model`` is the first that serves.
    """

    thing: str
    connected: bool
    model: ModelRef | None
    buffered: int
    rejected: dict[str, int]
    update: str | None
    models: dict[str, ModelRef] = field(default_factory=dict)
    shadow_models: dict[str, Comparison] = field(default_factory=dict)
    lag: float = 0.0


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
    services: list[ServiceStatus] = []
    found: list[SiteStatus] = []
    for each in sites_of(fleet):
        ours = backend if each is fleet else current_backend(each)
        rows = ours.statuses()
        prefix = "" if each.joins is None else f"{each.site.site}/"
        services += [replace(row, name=f"{prefix}{row.name}") for row in rows]
        found.append(site_status(each, ours, rows))
    return FleetStatus(backend.name, fleet.target, services, found)


def site_status(
    fleet: Fleet, backend: RuntimeBackend, services: list[ServiceStatus] | None = None
) -> SiteStatus:
    """One site's edge and turbines; none of them if its broker or edge does not answer.

    ``services`` are the site's, if they were looked at already.
    """
    rows = backend.statuses() if services is None else services
    runs = any(row.name == "broker" and row.state in ("healthy", "unhealthy") for row in rows)
    beat = site.heartbeat(backend.operator(), fleet.site.site) if runs else None
    return _site_status(fleet, beat)


def wait_for_cloud(fleet: Fleet, report: Progress) -> None:
    """Wait until the edge has its session with the cloud; say so if it takes too long."""
    deadline = time.monotonic() + CONNECTED_WITHIN
    while time.monotonic() < deadline:
        with contextlib.suppress(GustbedError, msgspec.MsgspecError):
            _, body = probes.get(f"{fleet.edge_url}{edge_http.STATUS}")
            if msgspec.json.decode(body, type=Heartbeat).connected:
                return
        time.sleep(0.3)
    where = "" if fleet.joins is None else f" --site {fleet.site.site}"
    report(
        f"the edge of {fleet.site.site} is not connected to the cloud yet: "
        f"see `gustbed logs edge{where}`"
    )


def _site_status(fleet: Fleet, beat: Heartbeat | None) -> SiteStatus:
    if beat is None or not site.is_fresh(beat):
        edge = EdgeStatus(fleet.site.thing, False, beat.model if beat else None, 0, {}, None)
        return SiteStatus(fleet.site.site, edge, [])
    edge = EdgeStatus(
        beat.thing,
        beat.connected,
        beat.model,
        beat.buffered,
        beat.rejected,
        beat.update,
        beat.models,
        beat.shadow_models,
        beat.lag,
    )
    return SiteStatus(beat.site, edge, beat.turbines)
