"""Turbines' reported and desired state, between the site broker and AWS IoT named shadows.

Every turbine has a named shadow of the edge's thing, named as the turbine is. Whatever the turbine
reports goes up when it changes; what the shadow wants otherwise comes down as the desired state.
"""

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable
from dataclasses import asdict, dataclass, fields

from gustbed_core import codec, topics
from gustbed_core.errors import PayloadError
from gustbed_core.mqtt import Message
from gustbed_core.turbine_state import SCHEMA, Desired, Reported, decode_reported
from gustbed_core.worker import Worker
from gustbed_edge.cloud.ports import ShadowRefusedError, Shadows, ShadowsUnavailableError

log = logging.getLogger(__name__)

UPDATE_SECONDS = 3.0
"""At most one update of a turbine's shadow in this time: what comes meanwhile is merged."""
PACE_SECONDS = 0.06
"""Between two updates, so that a large site's first reports are no burst on one thing."""
RETRY_SECONDS = 10.0
"""Before the same turbine is tried again; the others may be a second later."""
PAUSE_SECONDS = 1.0
MAX_REPORTED_BYTES = 4096
"""A shadow holds 8 KiB, and what is desired must fit in too."""
MAX_VERSION = 2**53


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A delta's state: ``Desired``, but one can tell that no version was given."""

    run: bool | None = None
    power_limit_kw: float | None = None
    yaw_offset_deg: float | None = None
    pitch_offset_deg: float | None = None
    version: int | None = None
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class _Delta:
    state: _Wanted


_decode_delta = codec.decoder(_Delta)


def desired_from_delta(payload: bytes, version: int) -> Desired | None:
    """What a shadow wants otherwise, or None if that is nothing a turbine can do.

    ``version`` is the one to echo if the delta has none. Raises ``PayloadError``.
    """
    wanted = _decode_delta(payload).state
    if wanted.schema != SCHEMA:
        raise PayloadError("wrong_schema", f"schema {wanted.schema}, this release reads {SCHEMA}")
    numbers = (wanted.power_limit_kw, wanted.yaw_offset_deg, wanted.pitch_offset_deg)
    if not all(math.isfinite(number) for number in numbers if number is not None):
        raise PayloadError("non_finite", "NaN or infinity in the desired state")
    if not 0 <= (wanted.version or 0) <= MAX_VERSION:
        raise PayloadError("wrong_fields", f"version must be 0 to {MAX_VERSION}")
    if wanted == _Wanted():
        return None
    return Desired(wanted.run, *numbers, version if wanted.version is None else wanted.version)


def read_reported(topic: str, payload: bytes, turbines: Container[str]) -> Reported:
    """Check the report of one of ``turbines``. Raises ``PayloadError``."""
    turbine = topics.parse(topic).turbine
    if turbine not in turbines:
        raise PayloadError("unknown_turbine", f"{turbine[:64]!r} is not a turbine of this site")
    if len(payload) > MAX_REPORTED_BYTES:
        raise PayloadError("oversized", f"{len(payload)} bytes, at most {MAX_REPORTED_BYTES}")
    reported = decode_reported(payload)
    if reported.schema != SCHEMA:
        raise PayloadError("wrong_schema", f"schema {reported.schema}, this release reads {SCHEMA}")
    if reported.turbine != turbine:
        raise PayloadError("wrong_turbine", f"a report of {reported.turbine[:64]!r} on {topic}")
    numbers = (getattr(reported, field.name) for field in fields(reported) if field.type is float)
    if not all(math.isfinite(number) for number in numbers):
        raise PayloadError("non_finite", "NaN or infinity in the report")
    if not 0 <= reported.version <= MAX_VERSION:
        raise PayloadError("wrong_fields", f"version must be 0 to {MAX_VERSION}")
    return reported


@dataclass(slots=True)
class _Turbine:
    latest: Reported | None = None
    sent: Reported | None = None
    """What the shadow was last given, whether it took it or not; None: to be given anew."""
    due: float = 0.0


class DeviceShadows(Worker):
    """A worker that carries reports up, and a callback that carries desired states down."""

    def __init__(
        self,
        site: str,
        turbines: Iterable[str],
        publish: Callable[[Message], bool],
        reject: Callable[[str, bytes, PayloadError], None],
        shadows: Shadows,
        *,
        update_seconds: float = UPDATE_SECONDS,
        pace_seconds: float = PACE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("shadows")
        self.counts: Counter[str] = Counter()
        """Updates ``sent``, ``refused`` by the service, and deltas ``received`` or ``bad``."""
        self._site = site
        self._turbines = {turbine: _Turbine() for turbine in turbines}
        self._publish = publish
        self._reject = reject
        self._update_seconds = update_seconds
        self._pace_seconds = pace_seconds
        self._monotonic = monotonic
        self._shadows = shadows
        self._afresh = threading.Event()

    def connected(self) -> None:
        """Report every turbine again: the service answers with what it wants otherwise, which
        makes up for what was wanted while this edge was away.
        """
        self._afresh.set()
        self.wake()

    def reported(self, topic: str, payload: bytes) -> None:
        """Take a turbine's report from the site broker; never blocks."""
        if not payload:
            # Somebody cleared the retained report.
            return
        try:
            report = read_reported(topic, payload, self._turbines)
        except PayloadError as error:
            self._reject(topic, payload, error)
            return
        self._turbines[report.turbine].latest = report
        self.wake()

    def delta(self, shadow: str, payload: bytes) -> None:
        """Take what a shadow wants otherwise to the turbine; never blocks."""
        turbine = self._turbines.get(shadow)
        if turbine is None:
            return
        version = turbine.latest.version if turbine.latest else 0
        try:
            desired = desired_from_delta(payload, version)
        except PayloadError as error:
            self.counts["bad"] += 1
            log.warning("shadow %s: desired state refused: %s", shadow, error.detail[:200])
            return
        if desired is not None:
            self.counts["received"] += 1
            topic = topics.desired(self._site, shadow)
            self._publish(Message(topic, codec.encode(desired), qos=1, retain=True))

    def turn(self) -> float | None:
        """Send what is due. Returns the seconds until something else is, None if nothing is."""
        if not self._shadows.connected:
            return None
        try:
            return self._send()
        except ShadowsUnavailableError as error:
            log.info("shadows: %s; trying again", error)
            return PAUSE_SECONDS

    def _send(self) -> float | None:
        if self._afresh.is_set():
            self._afresh.clear()
            for turbine in self._turbines.values():
                turbine.sent = None
        waits: list[float] = []
        for name, turbine in self._turbines.items():
            latest = turbine.latest
            if latest is None or latest == turbine.sent or self.stopping:
                continue
            wait = turbine.due - self._monotonic()
            if wait > 0:
                waits.append(wait)
            else:
                self._update(name, turbine, latest)
        return min(waits, default=None)

    def _update(self, name: str, turbine: _Turbine, latest: Reported) -> None:
        turbine.due = self._monotonic() + RETRY_SECONDS
        try:
            self._shadows.update(name, asdict(latest))
        except ShadowRefusedError as error:
            self.counts["refused"] += 1
            log.warning("shadow %s: the report was refused: %s", name, error)
        else:
            self.counts["sent"] += 1
        turbine.sent = latest
        turbine.due = self._monotonic() + self._update_seconds
        self.pause(self._pace_seconds)
