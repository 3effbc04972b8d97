"""What pages read: frozen copies of the live state, taken under the client's lock."""

from collections.abc import Container
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from gustbed_core.events import AnomalyEvent, Comparison, Heartbeat, ModelRef, TurbineStatus
from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard.site.card_readings import Reading, readings
from gustbed_dashboard.site.command_log import ActiveFault, Sent
from gustbed_dashboard.site.ring_buffer import resample
from gustbed_dashboard.site.state import SiteState
from gustbed_dashboard.site.turbine_buffers import TurbineBuffers
from gustbed_dashboard.site.type_catalog import TypeCatalog

TREND_SECONDS = 60.0
TREND_BINS = 60
TELEMETRY_SILENT_AFTER = 5.0


class Condition(StrEnum):
    """How a turbine is shown."""

    OK = "ok"
    ANOMALY = "anomaly"
    WARMING = "warming"
    UNKNOWN = "unknown"
    SILENT = "silent"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class TurbineCard:
    """A turbine at a glance.

    ``trend`` is its score over the last minute, one mean per second, None where nothing came.
    ``carried_by`` names the features that carry its open events, the strongest first.
    """

    id: str
    type: TurbineType
    condition: Condition
    note: str
    status: TurbineStatus | None
    score: float | None
    trend: list[float | None]
    readings: list[Reading]
    carried_by: list[str]


@dataclass(frozen=True, slots=True)
class SiteSnapshot:
    """The whole site at one instant, ``now`` (Unix seconds)."""

    now: float
    site: str
    broker: str | None
    """Why the site broker cannot be used, None while it can."""
    edge_alive: bool
    edge_seen: float | None
    thing: str
    cloud_connected: bool
    models: dict[str, ModelRef]
    """What the edge serves, by turbine type."""
    shadow_models: dict[str, Comparison]
    """What runs in shadow, by turbine type."""
    buffered: int
    update: str | None
    rejected: dict[str, int]
    twin: str | None
    turbines: list[TurbineCard]
    events: list[AnomalyEvent]
    sent: list[Sent]
    faults: list[ActiveFault]
    blocks_per_second: float
    ignored: dict[str, int]
    catalog: TypeCatalog

    @property
    def open_events(self) -> list[AnomalyEvent]:
        """Events that have not closed."""
        return [event for event in self.events if event.closed is None]

    @property
    def types(self) -> list[TurbineType]:
        """Those of its turbines, then those that only have a model."""
        known = {card.type.name: card.type for card in self.turbines}
        names = dict.fromkeys([*sorted(known), *self.models])
        return [known.get(name) or self.catalog.get(name) for name in names]

    def type_of(self, turbine: str) -> TurbineType | None:
        """The type of a turbine, None for one that is not of this site."""
        return next((card.type for card in self.turbines if card.id == turbine), None)


def take(state: SiteState, now: float, broker: str | None) -> SiteSnapshot:
    """Copy the state for a page. ``broker`` says why the broker cannot be used, if so."""
    heartbeat = state.heartbeat
    alive = broker is None and state.edge_alive(now)
    twin = state.services.get("twin")
    statuses = {status.id: status for status in heartbeat.turbines} if heartbeat else {}
    events = state.events.newest()
    carried = _carried(events)
    models = _models(heartbeat) if heartbeat else {}
    cards = [
        _card(state, name, statuses.get(name), now, alive, carried.get(name, []), models)
        for name in state.names()
    ]
    return SiteSnapshot(
        now=now,
        site=state.site,
        broker=broker,
        edge_alive=alive,
        edge_seen=state.heartbeat_at,
        thing=heartbeat.thing if heartbeat else "",
        cloud_connected=alive and heartbeat is not None and heartbeat.connected,
        models=models,
        shadow_models=dict(heartbeat.shadow_models) if heartbeat else {},
        buffered=heartbeat.buffered if heartbeat else 0,
        update=heartbeat.update if heartbeat else None,
        rejected=dict(heartbeat.rejected) if heartbeat else {},
        twin=twin.state if twin else None,
        turbines=cards,
        events=events,
        sent=state.commands.newest(),
        faults=state.commands.active(twin.t if twin and twin.state == "online" else 0.0),
        blocks_per_second=state.blocks_per_second(now),
        ignored=dict(state.ignored),
        catalog=state.types,
    )


def _models(heartbeat: Heartbeat) -> dict[str, ModelRef]:
    """By type; an edge that names one model and no type has turbines of one type."""
    if heartbeat.models or heartbeat.model is None:
        return dict(heartbeat.models)
    types = {status.type for status in heartbeat.turbines}
    return {types.pop() if len(types) == 1 else "": heartbeat.model}


def _carried(events: list[AnomalyEvent]) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for event in events:
        if event.closed is None:
            found.setdefault(event.turbine, {}).update(dict.fromkeys(event.signals))
    return {turbine: list(signals) for turbine, signals in found.items()}


def _card(
    state: SiteState,
    name: str,
    status: TurbineStatus | None,
    now: float,
    edge_alive: bool,
    carried_by: list[str],
    served: Container[str],
) -> TurbineCard:
    buffers = state.turbines.get(name) or TurbineBuffers()
    age = now - buffers.seen if buffers.seen is not None else None
    # What the turbine itself says of its type is newer than what the edge says.
    turbine_type = buffers.turbine_type or state.types.get(status.type if status else "")
    condition, note = judge(status, edge_alive, age)
    if condition is Condition.UNKNOWN and edge_alive and turbine_type.name not in served:
        note = "no model serves this type"
    since, window = now - TREND_SECONDS, (now, TREND_SECONDS, TREND_BINS)
    on_card = [reading.channel for reading in turbine_type.card]
    times, columns = buffers.signals.since(since, on_card)
    scores = buffers.scores(since, now)
    recent = age is not None and age < TELEMETRY_SILENT_AFTER
    return TurbineCard(
        id=name,
        type=turbine_type,
        condition=condition,
        note=note,
        status=status,
        score=_score(buffers) if edge_alive else None,
        trend=resample(scores.age + now, scores.largest, *window),
        readings=readings(turbine_type, times, columns, window, recent=recent),
        carried_by=carried_by,
    )


def _score(buffers: TurbineBuffers) -> float | None:
    if buffers.verdict is None or buffers.verdict.score is None:
        return None
    return buffers.verdict.score if np.isfinite(buffers.verdict.score) else None


def judge(
    status: TurbineStatus | None, edge_alive: bool, telemetry_age: float | None
) -> tuple[Condition, str]:
    """Decide how to show a turbine, and say in a few words why or what to do."""
    silent = telemetry_age is None or telemetry_age > TELEMETRY_SILENT_AFTER
    if silent:
        if telemetry_age is None and (status is None or status.blocks == 0):
            return Condition.WAITING, "waiting for the first telemetry"
        if telemetry_age is not None:
            return Condition.SILENT, f"no telemetry for {telemetry_age:.0f} s"
        return Condition.SILENT, "no telemetry"
    if not edge_alive:
        return Condition.UNKNOWN, "telemetry flows, the edge does not judge it"
    if status is None:
        return Condition.UNKNOWN, "the edge does not know this turbine"
    notes = {
        Condition.OK: "",
        Condition.ANOMALY: "",
        Condition.WARMING: "filling the first window",
        Condition.UNKNOWN: "the model gives no verdict",
        Condition.SILENT: "the edge receives nothing",
    }
    condition = Condition(status.state)
    return condition, notes[condition]
