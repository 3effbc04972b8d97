"""What the site says of itself, over its broker and its edge's HTTP endpoint."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from gustbed_cli.runtime import probes
from gustbed_core import edge_http, topics
from gustbed_core.codec import encode
from gustbed_core.commands import Ack, Command, decode_ack
from gustbed_core.commissioning.messages import (
    CommissionAck,
    CommissionCommand,
    CommissioningInfo,
    decode_commission_ack,
)
from gustbed_core.edge_http import ModelInfo
from gustbed_core.errors import GustbedError
from gustbed_core.events import AnomalyEvent, Heartbeat, decode_heartbeat
from gustbed_core.mqtt import Handler, Message, Session
from gustbed_core.settings import MqttSettings
from gustbed_core.site_directory import OPERATOR

T = TypeVar("T")

HEARTBEAT_WITHIN = 3.0
"""Seconds to wait for an edge's retained heartbeat."""
STALE_AFTER = 10.0
"""An edge whose heartbeat is older than this many seconds is not there."""
ACK_WITHIN = 5.0


def heartbeat(broker: MqttSettings, site: str) -> Heartbeat | None:
    """The edge's last heartbeat, or None if broker or edge have none."""
    received: list[Heartbeat] = []
    arrived = threading.Event()

    def receive(_topic: str, payload: bytes) -> None:
        received.append(decode_heartbeat(payload))
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
    return _answer(
        broker,
        Message(topics.command(site, turbine), encode(command)),
        topics.command_ack(site, turbine),
        decode_ack,
        lambda ack: ack.id == command.id,
        whose=("turbine " + repr(turbine), "the twin"),
    )


def commission(broker: MqttSettings, site: str, command: CommissionCommand) -> CommissionAck:
    """Ask the edge about commissioning and wait for its answer. Raises ``GustbedError``."""
    return _answer(
        broker,
        Message(topics.commission(site), encode(command)),
        topics.commission_ack(site),
        decode_commission_ack,
        lambda ack: ack.id == command.id,
        whose=(f"the edge of {site}", "it"),
    )


def events(edge_url: str, since: float = 0.0) -> list[AnomalyEvent]:
    """Anomaly events that the edge knows, latest state each. Raises ``GustbedError``."""
    return _asked(edge_url, f"{edge_http.EVENTS}?since={since}", list[AnomalyEvent])


def models(edge_url: str) -> list[ModelInfo]:
    """The models that the edge runs, the factory's among them. Raises ``GustbedError``."""
    return _asked(edge_url, edge_http.MODELS, list[ModelInfo])


def commissioning(edge_url: str) -> list[CommissioningInfo]:
    """How the site's turbines are commissioned. Raises ``GustbedError``."""
    return _asked(edge_url, edge_http.COMMISSIONING, list[CommissioningInfo])


def _answer(
    broker: MqttSettings,
    question: Message,
    topic: str,
    decode: Callable[[bytes], T],
    ours: Callable[[T], bool],
    *,
    whose: tuple[str, str],
) -> T:
    """Publish a question and wait for its answer on a topic; ``whose`` is who should answer, and
    what must run for that. Raises ``GustbedError`` if no answer comes in time.
    """
    answers: list[T] = []
    arrived = threading.Event()

    def receive(_topic: str, payload: bytes) -> None:
        answer = decode(payload)
        if ours(answer):
            answers.append(answer)
            arrived.set()

    with _session(broker, {topic: receive}) as session:
        session.wait_connected(ACK_WITHIN)
        session.publish(question)
        if arrived.wait(ACK_WITHIN):
            return answers[0]
    who, runs = whose
    raise GustbedError(
        f"{who} did not answer within {ACK_WITHIN:.0f} s",
        f"is {runs} running? See `gustbed status`",
    )


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


def _session(broker: MqttSettings, subscriptions: Mapping[str, Handler]) -> Session:
    return Session(broker, user=OPERATOR, subscriptions=subscriptions)
