"""Folding the site's messages into what the pages show. No Streamlit, no network, no clock."""

from collections import Counter, deque
from collections.abc import Callable, Iterable

from gustbed_core import topics
from gustbed_core.codec import decoder
from gustbed_core.commands import decode_ack, decode_command
from gustbed_core.errors import PayloadError
from gustbed_core.events import AnomalyEvent, Heartbeat, ServiceState, Verdict
from gustbed_core.telemetry import decode_block
from gustbed_dashboard.site.command_log import CommandLog
from gustbed_dashboard.site.event_log import EventLog
from gustbed_dashboard.site.turbine_buffers import TurbineBuffers
from gustbed_dashboard.site.type_catalog import TypeCatalog

EDGE_SILENT_AFTER = 5.0
"""Seconds without a heartbeat, five times its interval, before the edge counts as away."""
RATE_SECONDS = 5.0

_decode_heartbeat = decoder(Heartbeat)
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
        self.ignored: Counter[str] = Counter()
        self._arrivals: deque[float] = deque(maxlen=20_000)
        self._folds: dict[str, Callable[[str, bytes, float], None]] = {
            "telemetry": self._fold_telemetry,
            "verdict": self._fold_verdict,
            "shadow-verdict": self._fold_shadow_verdict,
            "event": self._fold_event,
            "command": self._fold_command,
            "command/ack": self._fold_ack,
            "heartbeat": self._fold_heartbeat,
            "state": self._fold_service,
        }

    def fold(self, topic: str, payload: bytes, now: float) -> None:
        """Take one message in; what does not keep its contract is counted, never raised."""
        try:
            source = topics.parse(topic)
        except ValueError:
            self.ignored["unknown_topic"] += 1
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
        """Whether a heartbeat came in recently, and no last will since."""
        state = self.services.get("edge")
        if state is not None and state.state == "offline":
            return False
        return self.heartbeat_at is not None and now - self.heartbeat_at < EDGE_SILENT_AFTER

    def names(self) -> list[str]:
        """Turbines to show: the edge's list, else the configured one; plus any heard."""
        listed = (
            [status.id for status in self.heartbeat.turbines] if self.heartbeat else self.configured
        )
        heard = [name for name, buffers in self.turbines.items() if buffers.seen is not None]
        return sorted({*listed, *heard})

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
        samples = decode_block(payload)
        buffers = self._buffers(turbine, samples.turbine)
        buffers.add_block(samples, self.types.get(samples.type, samples.names), now)
        self._arrivals.append(now)

    def _fold_verdict(self, turbine: str, payload: bytes, now: float) -> None:
        verdict = _decode_verdict(payload)
        self._buffers(turbine, verdict.turbine).add_verdict(verdict, now)

    def _fold_shadow_verdict(self, turbine: str, payload: bytes, now: float) -> None:
        verdict = _decode_verdict(payload)
        self._buffers(turbine, verdict.turbine).add_shadow_verdict(verdict, now)

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

    def _fold_heartbeat(self, service: str, payload: bytes, now: float) -> None:
        if service != "edge":
            raise PayloadError("unknown_topic", service)
        heartbeat = _decode_heartbeat(payload)
        _check_names(heartbeat)
        # A retained heartbeat is the past speaking: only a second, different one proves life.
        fresh = abs(now - heartbeat.t) < EDGE_SILENT_AFTER
        if fresh or (self.heartbeat is not None and self.heartbeat.t != heartbeat.t):
            self.heartbeat_at = now
        self.heartbeat = heartbeat

    def _fold_service(self, service: str, payload: bytes, now: float) -> None:
        state = _decode_state(payload)
        if service not in ("edge", "twin"):
            raise PayloadError("unknown_topic", service)
        self.services[service] = state


def _check_names(heartbeat: Heartbeat) -> None:
    try:
        for status in heartbeat.turbines:
            topics.level(status.id)
    except ValueError as error:
        raise PayloadError("wrong_fields", str(error)) from error
