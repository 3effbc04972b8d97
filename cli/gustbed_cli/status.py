"""One picture of the fleet: services, sites, turbines."""

import contextlib
import time
from dataclasses import dataclass, field

import msgspec

from gustbed_cli import site
from gustbed_cli.fleet import Fleet
from gustbed_cli.record import Runtime, Target
from gustbed_cli.runtime import probes
from gustbed_cli.runtime.backend import Progress, RuntimeBackend, ServiceStatus
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
    services = backend.statuses()
    broker_runs = any(
        row.name == "broker" and row.state in ("healthy", "unhealthy") for row in services
    )
    beat = site.heartbeat(backend.operator(), fleet.site.site) if broker_runs else None
    return FleetStatus(backend.name, fleet.target, services, [_site_status(fleet, beat)])


def wait_for_cloud(fleet: Fleet, report: Progress) -> None:
    """Wait until the edge has its session with the cloud; say so if it takes too long."""
    deadline = time.monotonic() + CONNECTED_WITHIN
    while time.monotonic() < deadline:
        with contextlib.suppress(GustbedError, msgspec.MsgspecError):
            _, body = probes.get(f"{fleet.edge_url}{edge_http.STATUS}")
            if msgspec.json.decode(body, type=Heartbeat).connected:
                return
        time.sleep(0.3)
    report("the edge is not connected to the cloud yet: see `gustbed logs edge`")


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
