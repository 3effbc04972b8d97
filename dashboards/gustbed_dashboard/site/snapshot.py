"""What pages read: frozen copies of the live state, taken under the client's lock."""

from collections.abc import Container
from dataclasses import dataclass, replace
from enum import StrEnum

from gustbed_core.event_kinds import EventKind
from gustbed_core.events import AnomalyEvent, Comparison, Heartbeat, ModelRef, TurbineStatus
from gustbed_core.mirror import is_mirrors
from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard.formatting import duration
from gustbed_dashboard.site.card_readings import Reading, readings
from gustbed_dashboard.site.command_log import ActiveFault, Sent
from gustbed_dashboard.site.ring_buffer import resample
from gustbed_dashboard.site.state import SiteState
from gustbed_dashboard.site.turbine_buffers import Heard, TurbineBuffers
from gustbed_dashboard.site.type_catalog import TypeCatalog

TREND_SECONDS = 60.0
TREND_BINS = 60
MAX_CARDS = 24
"""Of a larger fleet only the turbines that need attention have cards."""


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
    ``known_at`` is when the edge last said so (Unix seconds), None while it is heard.
    ``mirrored`` are the kinds of open events that a mirror found.
    ``detailed`` is whether trend and readings were taken at all.
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
    known_at: float | None = None
    mirrored: tuple[EventKind, ...] = ()
    detailed: bool = True


@dataclass(frozen=True, slots=True)
class SiteSnapshot:
    """The whole site at one instant, ``now`` (Unix seconds)."""

    now: float
    site: str
    broker: str | None
    """Why the site broker cannot be used, None while it can."""
    behind: float
    """Seconds by which all that arrives is late; 0 while it is in time."""
    load: float
    """Share of a core that this dashboard takes."""
    edge_alive: bool
    edge_seen: float | None
    thing: str
    cloud_connected: bool
    models: dict[str, ModelRef]
    """What the edge serves, by turbine type."""
    shadow_models: dict[str, Comparison]
    """What runs in shadow, by turbine type."""
    buffered: int
    uplink_lag: float
    """Seconds for which the oldest message has waited for the cloud."""
    update: str | None
    rejected: dict[str, int]
    twin: str | None
    turbines: list[TurbineCard]
    events: list[AnomalyEvent]
    sent: list[Sent]
    faults: list[ActiveFault]
    refusals: dict[str, str]
    """Why the edge refused the newest command about a turbine's commissioning, by turbine."""
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


def take(state: SiteState, now: float, broker: str | None, load: float = 0.0) -> SiteSnapshot:
    """Copy the state for a page. ``broker`` says why the broker cannot be used, if so.

    ``load`` is the share of a core that this process takes.
    """
    heartbeat = state.heartbeat
    alive = broker is None and state.edge_alive(now)
    twin = state.services.get("twin")
    statuses = {status.id: status for status in heartbeat.turbines} if heartbeat else {}
    events = state.events.newest()
    opened = {name: _of_open(name, events) for name in {event.turbine for event in events}}
    models = served(heartbeat) if heartbeat else {}
    known_at = None if alive or heartbeat is None else heartbeat.t
    names = state.names()
    cards = [
        _card(
            state,
            name,
            statuses.get(name),
            now,
            known_at,
            alive,
            opened.get(name, _NOTHING),
            models,
        )
        for name in names
    ]
    shown = cards if len(cards) <= MAX_CARDS else _alarmed(cards)[:MAX_CARDS]
    detailed = {card.id: _with_details(state, card, now) for card in shown}
    cards = [detailed.get(card.id, card) for card in cards]
    return SiteSnapshot(
        now=now,
        site=state.site,
        broker=broker,
        behind=state.behind(now),
        load=load,
        edge_alive=alive,
        edge_seen=state.heartbeat_at,
        thing=heartbeat.thing if heartbeat else "",
        cloud_connected=alive and heartbeat is not None and heartbeat.connected,
        models=models,
        shadow_models=dict(heartbeat.shadow_models) if heartbeat else {},
        buffered=heartbeat.buffered if heartbeat else 0,
        uplink_lag=heartbeat.lag if heartbeat else 0.0,
        update=heartbeat.update if heartbeat else None,
        rejected=dict(heartbeat.rejected) if heartbeat else {},
        twin=twin.state if twin else None,
        turbines=cards,
        events=events,
        sent=state.commands.newest(),
        faults=state.commands.active(twin.t if twin and twin.state == "online" else 0.0),
        refusals=state.commissioning.refusals(),
        blocks_per_second=state.blocks_per_second(now),
        ignored=dict(state.ignored),
        catalog=state.types,
    )


def served(heartbeat: Heartbeat) -> dict[str, ModelRef]:
    """By type; an edge that names one model and no type has turbines of one type."""
    if heartbeat.models or heartbeat.model is None:
        return dict(heartbeat.models)
    types = {status.type for status in heartbeat.turbines}
    return {types.pop() if len(types) == 1 else "": heartbeat.model}


@dataclass(frozen=True, slots=True)
class _Open:
    """What a turbine's open events name: signals, and kinds of those that mirrors found."""

    signals: tuple[str, ...] = ()
    mirrored: tuple[EventKind, ...] = ()


_NOTHING = _Open()


def _of_open(turbine: str, events: list[AnomalyEvent]) -> _Open:
    own = [event for event in events if event.turbine == turbine and event.closed is None]
    signals = dict.fromkeys(name for event in own for name in event.signals)
    mirrored = dict.fromkeys(event.kind for event in own if is_mirrors(event))
    return _Open(tuple(signals), tuple(mirrored))


def _alarmed(cards: list[TurbineCard]) -> list[TurbineCard]:
    return [card for card in cards if card.condition is Condition.ANOMALY]


def _card(
    state: SiteState,
    name: str,
    status: TurbineStatus | None,
    now: float,
    known_at: float | None,
    edge_alive: bool,
    opened: _Open,
    served: Container[str],
) -> TurbineCard:
    buffers = state.turbines.get(name) or TurbineBuffers()
    # What the turbine itself says of its type is newer than what the edge says.
    turbine_type = buffers.turbine_type or state.types.get(status.type if status else "")
    condition, note = judge(status, edge_alive, buffers.age(now), buffers.hears(now))
    if condition is Condition.UNKNOWN and edge_alive and turbine_type.name not in served:
        note = "no model serves this type"
    return TurbineCard(
        id=name,
        type=turbine_type,
        condition=condition,
        note=note,
        status=status,
        score=buffers.score(now) if edge_alive else None,
        trend=[],
        readings=[],
        carried_by=list(opened.signals),
        known_at=known_at if status is not None else None,
        mirrored=opened.mirrored,
        detailed=False,
    )


def _with_details(state: SiteState, card: TurbineCard, now: float) -> TurbineCard:
    """With trend and readings, and every block of it read from now on."""
    buffers = state.turbines.get(card.id) or TurbineBuffers()
    buffers.watch(now)
    since, window = now - TREND_SECONDS, (now, TREND_SECONDS, TREND_BINS)
    times, columns = buffers.signals.since(since, [reading.channel for reading in card.type.card])
    scores = buffers.scores(since, now)
    recent = buffers.hears(now) is Heard.LIVE
    return replace(
        card,
        trend=resample(scores.age + now, scores.largest, *window),
        readings=readings(card.type, times, columns, window, recent=recent),
        detailed=True,
    )


def judge(
    status: TurbineStatus | None, edge_alive: bool, age: float | None, heard: Heard
) -> tuple[Condition, str]:
    """Decide how to show a turbine, and say in a few words why or what to do.

    ``age`` is that of its newest sample. An alarm outlives the edge that raised it.
    """
    if not edge_alive and status is not None and status.state == "anomaly":
        silent = "" if heard is Heard.LIVE else ", no telemetry"
        return Condition.ANOMALY, f"last known{silent}"
    if heard is Heard.NEVER:
        if status is None or status.blocks == 0:
            return Condition.WAITING, "waiting for the first telemetry"
        return Condition.SILENT, "no telemetry"
    if heard is Heard.SILENT:
        return Condition.SILENT, f"no telemetry for {duration(age or 0.0)}"
    if heard is Heard.LATE:
        return Condition.UNKNOWN, f"catching up: what comes is {duration(age or 0.0)} old"
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
    if condition is Condition.SILENT and status.refused:
        return condition, f"the edge refuses what it sends: {status.refused}"
    return condition, notes[condition]
