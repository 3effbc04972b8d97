"""Folding the site's messages into what the pages show. No Streamlit, no network, no clock."""

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable

from gustbed_core import topics
from gustbed_core.codec import decoder
from gustbed_core.commands import decode_ack, decode_command
from gustbed_core.commissioning.messages import decode_commission, decode_commission_ack
from gustbed_core.errors import PayloadError
from gustbed_core.events import AnomalyEvent, Heartbeat, ServiceState, Verdict, decode_heartbeat
from gustbed_core.mirror import decode_mirrored
from gustbed_core.naming import natural
from gustbed_core.telemetry import decode_block
from gustbed_dashboard.site.command_log import CommandLog
from gustbed_dashboard.site.commissioning_log import CommissioningLog
from gustbed_dashboard.site.event_log import EventLog
from gustbed_dashboard.site.turbine_buffers import KEPT_SECONDS, TurbineBuffers
from gustbed_dashboard.site.type_catalog import TypeCatalog

EDGE_SILENT_AFTER = 5.0
"""Seconds without a heartbeat, five times its interval, before the edge counts as away."""
RATE_SECONDS = 5.0
BEHIND_AFTER = 3.0
"""Seconds by which even the newest messages may be late before the page says so."""
READ_PER_SECOND = 400
"""Blocks of turbines that nobody looks at; of more, and of their verdicts, every k-th is read."""
MAX_STRIDE = 4
"""So that what is kept of a turbine has no gaps in it."""

_LASTING = frozenset({"heartbeat", "state"})

_decode_verdict = decoder(Verdict)
_decode_event = decoder(AnomalyEvent)
_decode_state = decoder(ServiceState)


class SiteState:
    """Everything known of one site. Not thread-safe: the client holds the lock.

    ``ignored`` counts messages that were not understood, by reason.
    """

    def __init__(self, site: str, turbines: Iterable[str], types: TypeCatalog) -> None:
        self.site = site
        self.types = types
        self.turbines: dict[str, TurbineBuffers] = {name: TurbineBuffers() for name in turbines}
        self.configured = tuple(self.turbines)
        self.heartbeat: Heartbeat | None = None
        self.heartbeat_at: float | None = None
        self.services: dict[str, ServiceState] = {}
        self.events = EventLog()
        self.commands = CommandLog()
        self.commissioning = CommissioningLog()
        self.ignored: Counter[str] = Counter()
        self._arrivals: deque[float] = deque(maxlen=20_000)
        self._lateness: deque[tuple[float, float]] = deque(maxlen=2_000)
        self._stride, self._counted, self._counted_from = 1, 0, 0.0
        self._folds: dict[str, Callable[[str, bytes, float], None]] = {
            "telemetry": self._fold_telemetry,
            "verdict": self._fold_verdict,
            "shadow-verdict": self._fold_shadow_verdict,
            "event": self._fold_event,
            "mirror": self._fold_mirror,
            "mirror/event": self._fold_event,
            "command": self._fold_command,
            "command/ack": self._fold_ack,
            "commission": self._fold_commission,
            "commission/ack": self._fold_commission_ack,
            "heartbeat": self._fold_heartbeat,
            "state": self._fold_service,
        }

    def fold(self, topic: str, payload: bytes, now: float, *, retained: bool = False) -> None:
        """Take one message in; what does not keep its contract is counted, never raised.

        ``retained`` is what the broker had kept of before: only states are true for so long.
        """
        try:
            source = topics.parse(topic)
        except ValueError:
            self.ignored["unknown_topic"] += 1
            return
        if retained and source.kind not in _LASTING:
            self.ignored["retained"] += 1
            return
        fold = self._folds.get(source.kind)
        if source.site != self.site or fold is None:
            self.ignored["unknown_topic"] += 1
            return
        try:
            fold(source.turbine, payload, now)
        except PayloadError as error:
            self.ignored[error.reason] += 1

    def edge_alive(self, now: float) -> bool:
        """Whether a heartbeat came in recently, and no last will since.

        While everything comes late, so do heartbeats: that is not the edge's silence.
        """
        state = self.services.get("edge")
        if state is not None and state.state == "offline":
            return False
        patience = EDGE_SILENT_AFTER + 1.5 * self.behind(now)
        return self.heartbeat_at is not None and now - self.heartbeat_at < patience

    def behind(self, now: float) -> float:
        """Seconds by which even the newest of the last messages were late; 0 while in time."""
        recent = [late for at, late in self._lateness if at > now - RATE_SECONDS]
        newest = min(recent, default=0.0)
        return newest if newest > BEHIND_AFTER else 0.0

    def names(self) -> list[str]:
        """Turbines to show: the edge's list, else the configured one; plus any heard."""
        listed = (
            [status.id for status in self.heartbeat.turbines] if self.heartbeat else self.configured
        )
        heard = [name for name, buffers in self.turbines.items() if buffers.heard is not None]
        return sorted({*listed, *heard}, key=natural)

    def blocks_per_second(self, now: float) -> float:
        """Telemetry rate of the site over the last seconds."""
        recent = sum(1 for arrival in self._arrivals if arrival > now - RATE_SECONDS)
        return recent / RATE_SECONDS

    def _buffers(self, turbine: str, claimed: str) -> TurbineBuffers:
        if claimed != turbine:
            raise PayloadError("wrong_turbine", f"{claimed[:64]!r} on the topic of {turbine}")
        buffers = self.turbines.get(turbine)
        if buffers is None:
            if self.heartbeat is None or all(s.id != turbine for s in self.heartbeat.turbines):
                # Memory stays bounded: only turbines that the site knows get buffers.
                raise PayloadError("unknown_turbine", turbine)
            buffers = self.turbines[turbine] = TurbineBuffers()
        return buffers

    def _fold_telemetry(self, turbine: str, payload: bytes, now: float) -> None:
        known = self.turbines.get(turbine)
        if known is not None and known.pass_over("telemetry", self._stride, now):
            known.heard = now
        else:
            samples = decode_block(payload)
            buffers = self._buffers(turbine, samples.turbine)
            buffers.add_block(samples, self.types.get(samples.type, samples.names), now)
            self._lateness.append((now, buffers.late))
        self._count(now)

    def _count(self, now: float) -> None:
        self._arrivals.append(now)
        self._counted += 1
        passed = now - self._counted_from
        if not 0 <= passed < 1.0:
            rate = self._counted / passed if 0 < passed < RATE_SECONDS else 0.0
            self._stride = min(MAX_STRIDE, max(1, math.ceil(rate / READ_PER_SECOND)))
            self._counted, self._counted_from = 0, now

    def _fold_verdict(self, turbine: str, payload: bytes, now: float) -> None:
        known = self.turbines.get(turbine)
        if known is not None and known.pass_over("verdict", self._stride, now):
            return
        verdict = _decode_verdict(payload)
        self._buffers(turbine, verdict.turbine).add_verdict(verdict, now)

    def _fold_shadow_verdict(self, turbine: str, payload: bytes, now: float) -> None:
        verdict = _decode_verdict(payload)
        self._buffers(turbine, verdict.turbine).add_shadow_verdict(verdict, now)

    def _fold_mirror(self, turbine: str, payload: bytes, now: float) -> None:
        minute = decode_mirrored(payload)
        self._buffers(turbine, minute.turbine).mirror.add(minute, now)

    def _fold_event(self, turbine: str, payload: bytes, now: float) -> None:
        event = _decode_event(payload)
        if event.turbine != turbine or event.site != self.site:
            raise PayloadError("wrong_turbine", f"event of {event.turbine[:64]!r} on {turbine}")
        self.events.add(event)

    def _fold_command(self, turbine: str, payload: bytes, now: float) -> None:
        self.commands.add(turbine, decode_command(payload), now)

    def _fold_ack(self, turbine: str, payload: bytes, now: float) -> None:
        ack = decode_ack(payload)
        if ack.turbine != turbine:
            raise PayloadError("wrong_turbine", f"ack of {ack.turbine[:64]!r} on {turbine}")
        self.commands.answer(ack)

    def _fold_commission(self, service: str, payload: bytes, now: float) -> None:
        _of_the_edge(service)
        self.commissioning.add(decode_commission(payload))

    def _fold_commission_ack(self, service: str, payload: bytes, now: float) -> None:
        _of_the_edge(service)
        self.commissioning.answer(decode_commission_ack(payload))

    def _fold_heartbeat(self, service: str, payload: bytes, now: float) -> None:
        _of_the_edge(service)
        heartbeat = decode_heartbeat(payload)
        _check_names(heartbeat)
        # A retained heartbeat is the past speaking: only a second, different one proves life.
        fresh = abs(now - heartbeat.t) < EDGE_SILENT_AFTER
        if fresh or (self.heartbeat is not None and self.heartbeat.t != heartbeat.t):
            self.heartbeat_at = now
        self.heartbeat = heartbeat
        self._forget_who_left(now)

    def _forget_who_left(self, now: float) -> None:
        """Turbines that the edge no longer lists, once nothing is left of them to show."""
        listed = {status.id for status in self.heartbeat.turbines} if self.heartbeat else set()
        for name, buffers in list(self.turbines.items()):
            if name not in listed and buffers.heard and now - buffers.heard > KEPT_SECONDS:
                del self.turbines[name]

    def _fold_service(self, service: str, payload: bytes, now: float) -> None:
        state = _decode_state(payload)
        if service not in ("edge", "twin"):
            raise PayloadError("unknown_topic", service)
        self.services[service] = state


def _of_the_edge(service: str) -> None:
    if service != "edge":
        raise PayloadError("unknown_topic", service)


def _check_names(heartbeat: Heartbeat) -> None:
    try:
        for status in heartbeat.turbines:
            topics.level(status.id)
    except ValueError as error:
        raise PayloadError("wrong_fields", str(error)) from error
