"""A site in a word, for whoever looks at another one."""

from dataclasses import dataclass
from enum import StrEnum

from gustbed_core.events import Comparison, ModelRef
from gustbed_dashboard.site.snapshot import served
from gustbed_dashboard.site.state import SiteState


class Health(StrEnum):
    """How a site is shown beside the others. What is not heard comes before what was said last."""

    FINE = "fine"
    EVENTS = "events"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Glance:
    """A site at one instant; models are by turbine type, as its edge said last."""

    health: Health
    open_events: int
    anomalous: int
    """Turbines of which the edge said last that they are not normal."""
    models: dict[str, ModelRef]
    shadow_models: dict[str, Comparison]


def glance(state: SiteState, now: float, *, heard: bool) -> Glance:
    """Look at a site; ``heard`` is whether its broker can be used."""
    heartbeat, opened = state.heartbeat, state.events.open_count()
    statuses = heartbeat.turbines if heartbeat else []
    anomalous = sum(status.state == "anomaly" for status in statuses)
    health = Health.EVENTS if opened or anomalous else Health.FINE
    if not heard or not state.edge_alive(now):
        health = Health.SILENT
    return Glance(
        health,
        opened,
        anomalous,
        served(heartbeat) if heartbeat else {},
        dict(heartbeat.shadow_models) if heartbeat else {},
    )
