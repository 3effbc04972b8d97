"""What the site says of itself, over its broker and its edge's HTTP endpoint."""

import threading
import time
from typing import TypeVar

import msgspec

from gustbed_cli.fleet import OPERATOR
from gustbed_cli.runtime import probes
from gustbed_core import edge_http, topics
from gustbed_core.codec import decoder, encode
from gustbed_core.commands import Ack, Command, decode_ack
from gustbed_core.edge_http import ModelInfo
from gustbed_core.errors import GustbedError
from gustbed_core.events import AnomalyEvent, Heartbeat
from gustbed_core.mqtt import Handler, Message, Session
from gustbed_core.settings import MqttSettings

T = TypeVar("T")

HEARTBEAT_WITHIN = 3.0
"""Seconds to wait for an edge's retained heartbeat."""
STALE_AFTER = 10.0
"""An edge whose heartbeat is older than this many seconds is not there."""
ACK_WITHIN = 5.0
_decode_heartbeat = decoder(Heartbeat)


def heartbeat(broker: MqttSettings, site: str) -> Heartbeat | None:
    """The edge's last heartbeat, or None if broker or edge have none."""
    received: list[Heartbeat] = []
    arrived = threading.Event()

    def receive(_topic: str, payload: bytes) -> None:
        received.append(_decode_heartbeat(payload))
        arrived.set()

    subscriptions: dict[str, Handler] = {topics.heartbeat(site): receive}
    try:
        with _session(broker, subscriptions) as session:
            session.wait_connected(HEARTBEAT_WITHIN)
            arrived.wait(HEARTBEAT_WITHIN)
    except GustbedError:
        return None
    return received[-1] if received else None


def is_fresh(beat: Heartbeat) -> bool:
    """Whether the edge that sent this is still there."""
    return time.time() - beat.t < STALE_AFTER


def send_command(broker: MqttSettings, site: str, turbine: str, command: Command) -> Ack:
    """Send a command and wait for its acknowledgement. Raises ``GustbedError``."""
    answers: list[Ack] = []
    arrived = threading.Event()

    def receive(_topic: str, payload: bytes) -> None:
        ack = decode_ack(payload)
        if ack.id == command.id:
            answers.append(ack)
            arrived.set()

    subscriptions: dict[str, Handler] = {topics.command_ack(site, turbine): receive}
    with _session(broker, subscriptions) as session:
        session.wait_connected(ACK_WITHIN)
        session.publish(Message(topics.command(site, turbine), encode(command)))
        if not arrived.wait(ACK_WITHIN):
            raise GustbedError(
                f"turbine {turbine!r} did not answer within {ACK_WITHIN:.0f} s",
                "is the twin running? See `gustbed status`",
            )
    return answers[0]


def events(edge_url: str, since: float = 0.0) -> list[AnomalyEvent]:
    """Anomaly events that the edge knows, latest state each. Raises ``GustbedError``."""
    return _asked(edge_url, f"{edge_http.EVENTS}?since={since}", list[AnomalyEvent])


def models(edge_url: str) -> list[ModelInfo]:
    """The models that the edge runs, the factory's among them. Raises ``GustbedError``."""
    return _asked(edge_url, edge_http.MODELS, list[ModelInfo])


def _asked(edge_url: str, path: str, answer: type[T]) -> T:
    address = f"{edge_url}{path}"
    try:
        status, body = probes.get(address)
    except GustbedError as error:
        raise GustbedError(
            f"the edge at {edge_url} does not answer", "start the fleet with `gustbed up`"
        ) from error
    if status != 200:
        raise GustbedError(f"{address} answers {status}", "see `gustbed logs edge`")
    try:
        return msgspec.json.decode(body, type=answer)
    except msgspec.MsgspecError as error:
        raise GustbedError(address, str(error)) from error


def _session(broker: MqttSettings, subscriptions: dict[str, Handler]) -> Session:
    return Session(broker, user=OPERATOR, subscriptions=subscriptions)
