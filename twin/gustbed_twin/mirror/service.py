"""A fitted twin beside a turbine of a live site: hears its blocks, tells residuals and events."""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version

from gustbed_core import topics
from gustbed_core.codec import encode
from gustbed_core.errors import GustbedError, PayloadError
from gustbed_core.events import AnomalyEvent, ModelRef
from gustbed_core.mirror import Mirrored, model_name
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import MqttSettings, SiteSettings
from gustbed_core.telemetry import Samples, decode_block
from gustbed_core.turbine_types import TurbineType
from gustbed_twin.mirror.miniature import AFTER_S, NEEDED_S, PERIOD_S, MiniatureMirror, mirror_of
from gustbed_twin.mirror.residuals import Buffer, Watch, Watched
from gustbed_twin.turbine.miniature_type import read_miniature
from gustbed_twin.turbine.variable_speed import type_file

log = logging.getLogger(__name__)

USER = "operator"
"""The broker's user that a mirror is: a tool of the site, of which many may run."""
CONNECT_WITHIN_S = 10.0
INBOX = 10_000
_LOOK_S = 0.2

Said = Mirrored | AnomalyEvent | str
"""A minute, a change of an event, or why there is no minute."""


class Mirror:
    """One turbine's twin in step: blocks in, minutes and events out."""

    def __init__(self, kind: TurbineType, site: SiteSettings, turbine: str) -> None:
        self._own = load_mirror(kind)
        self._kind, self._turbine = kind, turbine
        model = ModelRef(model_name(kind.name), version("gustbed-twin"))
        watched = Watched(site.site, site.thing, turbine, model)
        self._watch = Watch(watched, kind, self._own.channels)
        self._buffer = Buffer(kind.channel_names, NEEDED_S, PERIOD_S)

    def take(self, block: Samples) -> Iterator[Said]:
        """What a block makes known. Raises ``GustbedError`` if it lacks a channel."""
        missing = [name for name in self._kind.channel_names if name not in block.names]
        if missing:
            raise GustbedError(
                f"{self._turbine}: its blocks have no {missing[0]}",
                f"name a type that was fitted to recordings of it, not {self._kind.name}",
            )
        values = self._buffer.add(block)
        if values is None:
            return
        rate = round(1.0 / block.dt)
        try:
            channels = self._own.minute(values, rate)
        except GustbedError as error:
            yield error.what
            return
        t = block.end - AFTER_S
        minute, changes = self._watch.judge(
            Mirrored(self._turbine, self._kind.name, t, float(PERIOD_S), channels)
        )
        # Whoever hears the minute is to know the events that it says are open.
        yield from changes
        yield minute


def load_mirror(kind: TurbineType) -> MiniatureMirror:
    """The mirror of a type. Raises ``GustbedError`` for a type that has none."""
    if kind.physics.get("model") != "miniature":
        raise GustbedError(
            f"{type_file(kind)}: physics.model: {kind.physics.get('model')!r}",
            "a mirror follows types of model miniature",
        )
    return mirror_of(read_miniature(kind))


@dataclass(frozen=True, slots=True)
class MirrorRequest:
    """A turbine of the site, the type that was fitted to it, after how many minutes to end (0:
    never)."""

    turbine: str
    kind: TurbineType
    minutes: int = 0


def serve(
    request: MirrorRequest,
    site: SiteSettings,
    mqtt: MqttSettings,
    stop: threading.Event,
    say: Callable[[Said], None],
) -> None:
    """Follow the turbine, publish and ``say`` what is found, until told to stop.

    Raises ``GustbedError``: no such turbine, no broker, a type that is not fitted.
    """
    if request.turbine not in site.turbine_ids:
        known = site.turbine_ids
        raise GustbedError(
            f"turbine {request.turbine!r} does not exist", f"use one of {known[0]} to {known[-1]}"
        )
    mirror = Mirror(request.kind, site, request.turbine)
    inbox: queue.Queue[bytes] = queue.Queue(maxsize=INBOX)

    def receive(_topic: str, payload: bytes) -> None:
        try:
            inbox.put_nowait(payload)
        except queue.Full:
            log.warning("%s: a block is dropped, the mirror is too slow", request.turbine)

    heard = topics.telemetry(site.site, request.turbine)
    minutes = 0
    with Session(mqtt, user=USER, subscriptions={heard: receive}) as session:
        session.wait_connected(CONNECT_WITHIN_S)
        while not stop.is_set() and not (request.minutes and minutes >= request.minutes):
            for said in _heard(inbox, mirror):
                minutes += isinstance(said, Mirrored)
                _publish(session, site.site, said)
                say(said)
        session.drain(CONNECT_WITHIN_S)


def _heard(inbox: "queue.Queue[bytes]", mirror: Mirror) -> Iterator[Said]:
    try:
        payload = inbox.get(timeout=_LOOK_S)
    except queue.Empty:
        return
    try:
        block = decode_block(payload)
    except PayloadError as error:
        yield str(error)
        return
    yield from mirror.take(block)


def _publish(session: Session, site: str, said: Said) -> None:
    if isinstance(said, Mirrored):
        session.publish(Message(topics.mirror(site, said.turbine), encode(said)))
    elif isinstance(said, AnomalyEvent):
        session.publish(Message(topics.mirror_event(site, said.turbine), encode(said)))
