"""What pages read: frozen copies of the live state, taken under the hub's lock."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from gustbed_dashboard.commandlog import ActiveFault, Sent
from gustbed_dashboard.live import TurbineLive
from gustbed_dashboard.rings import resample
from gustbed_dashboard.state import SiteState
from gustbed_protocol.channels import CHANNEL_INDEX
from gustbed_protocol.events import AnomalyEvent, ModelRef, TurbineStatus

TREND_SECONDS = 60
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
class Trend:
    """The last minute, one mean per second, None where nothing came."""

    rps: list[float | None]
    voltage: list[float | None]
    score: list[float | None]


@dataclass(frozen=True, slots=True)
class TurbineCard:
    """A turbine at a glance. ``latest`` holds its newest sample by channel, if it is recent."""

    id: str
    condition: Condition
    note: str
    status: TurbineStatus | None
    score: float | None
    latest: dict[str, float]
    trend: Trend


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
    model: ModelRef | None
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

    @property
    def open_events(self) -> list[AnomalyEvent]:
        """Events that have not closed."""
        return [event for event in self.events if event.closed is None]


def take(state: SiteState, now: float, broker: str | None) -> SiteSnapshot:
    """Copy the state for a page. ``broker`` says why the broker cannot be used, if so."""
    heartbeat = state.heartbeat
    alive = broker is None and state.edge_alive(now)
    twin = state.services.get("twin")
    statuses = {status.id: status for status in heartbeat.turbines} if heartbeat else {}
    return SiteSnapshot(
        now=now,
        site=state.site,
        broker=broker,
        edge_alive=alive,
        edge_seen=state.heartbeat_at,
        thing=heartbeat.thing if heartbeat else "",
        cloud_connected=alive and heartbeat is not None and heartbeat.connected,
        model=heartbeat.model if heartbeat else None,
        buffered=heartbeat.buffered if heartbeat else 0,
        update=heartbeat.update if heartbeat else None,
        rejected=dict(heartbeat.rejected) if heartbeat else {},
        twin=twin.state if twin else None,
        turbines=[_card(state, name, statuses.get(name), now, alive) for name in state.names()],
        events=state.events.newest(),
        sent=state.commands.newest(),
        faults=state.commands.active(twin.t if twin and twin.state == "online" else 0.0),
        blocks_per_second=state.blocks_per_second(now),
        ignored=dict(state.ignored),
    )


def _card(
    state: SiteState, name: str, status: TurbineStatus | None, now: float, edge_alive: bool
) -> TurbineCard:
    live = state.turbines.get(name)
    age = now - live.seen if live is not None and live.seen is not None else None
    condition, note = judge(status, edge_alive, age)
    latest: dict[str, float] = {}
    trend = Trend([None] * TREND_BINS, [None] * TREND_BINS, [None] * TREND_BINS)
    if live is not None:
        times, rows = live.signals.since(now - TREND_SECONDS)
        score_times, scores = live.scores.since(now - TREND_SECONDS)
        trend = Trend(
            *(
                resample(t, column, now, TREND_SECONDS, TREND_BINS)
                for t, column in (
                    (times, rows[:, CHANNEL_INDEX["rps"]]),
                    (times, rows[:, CHANNEL_INDEX["voltage"]]),
                    (score_times, scores[:, 0]),
                )
            )
        )
        if len(rows) and age is not None and age < TELEMETRY_SILENT_AFTER:
            latest = {channel: float(rows[-1, i]) for channel, i in CHANNEL_INDEX.items()}
    score = _score(live) if edge_alive else None
    return TurbineCard(name, condition, note, status, score, latest, trend)


def _score(live: TurbineLive | None) -> float | None:
    if live is None or live.verdict is None or live.verdict.score is None:
        return None
    return live.verdict.score if np.isfinite(live.verdict.score) else None


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
