"""A session with the site broker: connects, stays connected, resubscribes, says when it cannot."""

import logging
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from gustbed_core.errors import GustbedError
from gustbed_core.settings import MqttSettings
from gustbed_core.takeovers import Takeovers

log = logging.getLogger(__name__)

Handler = Callable[[str, bytes], None]
"""Called with topic and payload on the session's network thread. Must not block."""

RECONNECT_SECONDS = (1, 8)


@dataclass(frozen=True, slots=True)
class Live:
    """A handler that takes what is said now; ``retained`` gets what the broker had kept of before,
    with every subscription anew.
    """

    handler: Handler
    retained: Handler


@dataclass(frozen=True, slots=True)
class Message:
    """A message to publish; as a will, the one the broker publishes for a lost client."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class Session:
    """One client of the site broker, reconnecting by itself until closed.

    ``subscriptions`` maps topic filters to handlers; ``births`` makes the messages that are
    published after each connection; ``qos`` is that of the subscriptions. The broker binds client
    ids to users, so ``client_id`` only helps whoever reads its log. Raises ``GustbedError`` if a
    password or a certificate cannot be read. Use as a context manager.
    """

    def __init__(
        self,
        settings: MqttSettings,
        *,
        user: str,
        client_id: str | None = None,
        subscriptions: Mapping[str, Handler | Live] | None = None,
        will: Message | None = None,
        births: Callable[[], list[Message]] | None = None,
        max_queued: int = 2000,
        qos: int = 1,
    ) -> None:
        self._settings = settings
        self._port = settings.port_of(user)
        self._user = user
        self.takeovers = Takeovers(user)
        self._subscriptions = dict(subscriptions or {})
        self._births = births
        self._qos = qos
        self._connected = threading.Event()
        self._refusal = ""
        self._last: paho.MQTTMessageInfo | None = None
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id or f"gustbed-{user or 'nobody'}-{uuid4().hex}",
            protocol=MQTTProtocolVersion.MQTTv311,
        )
        if settings.ca is not None:
            client.tls_set_context(_tls(settings.ca, settings.certificate(user)))
        password = settings.password(user)
        if password is not None:
            client.username_pw_set(user, password)
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.reconnect_delay_set(*RECONNECT_SECONDS)
        client.max_queued_messages_set(max_queued)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_connect_fail = self._on_connect_fail
        client.on_socket_open = _send_at_once
        for topic_filter, handler in self._subscriptions.items():
            client.message_callback_add(topic_filter, _callback(handler))
        self._client = client

    @property
    def connected(self) -> bool:
        """Whether the broker serves this client, subscriptions included."""
        return self._connected.is_set()

    def start(self) -> None:
        """Begin connecting in the background."""
        self._client.connect_async(self._settings.host, self._port, self._settings.keepalive)
        self._client.loop_start()

    def wait_connected(self, timeout: float) -> None:
        """Wait at most ``timeout`` seconds. Raises ``GustbedError`` naming broker and reason."""
        if not self._connected.wait(timeout):
            reason = self._refusal or "no answer"
            raise GustbedError(
                f"site broker {self._settings.host}:{self._port}: {reason}",
                "is it this fleet's? See GUSTBED_HOME and `gustbed status`"
                if self._refusal
                else "is it running? See `gustbed status`",
            )

    def publish(self, message: Message) -> bool:
        """Queue a message. False if the queue is full or, at QoS 0, nobody is connected."""
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
        self._last = info
        return info.rc in (paho.MQTT_ERR_SUCCESS, paho.MQTT_ERR_NO_CONN)

    def drain(self, timeout: float) -> bool:
        """Wait until the last message published has reached the broker. False if it has not."""
        if self._last is None:
            return True
        self._last.wait_for_publish(timeout)
        return self._last.is_published()

    def stop(self, farewell: Message | None = None) -> None:
        """Publish ``farewell`` if connected, then disconnect cleanly (so no will is sent)."""
        if farewell is not None and self.connected:
            self._client.publish(
                farewell.topic, farewell.payload, farewell.qos, farewell.retain
            ).wait_for_publish(timeout=2)
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._refusal = f"refused user {self._user!r}: {reason}"
            log.warning("site broker %s", self._refusal)
            self.takeovers.unreachable()
            return
        if self._subscriptions:
            client.subscribe([(topic_filter, self._qos) for topic_filter in self._subscriptions])
        else:
            self._serve()

    def _on_subscribe(
        self,
        _client: paho.Client,
        _data: Any,
        _id: int,
        reasons: list[ReasonCode],
        _properties: Any,
    ) -> None:
        # Not strict: what is raised here ends the network thread, and with it the session.
        for topic_filter, reason in zip(self._subscriptions, reasons, strict=False):
            if reason.is_failure:
                log.warning("site broker refused user %r to hear %s", self._user, topic_filter)
        self._serve()

    def _serve(self) -> None:
        # Not before the broker has taken the subscriptions: whoever is told "online" may speak
        # at once, and must be heard.
        if self._births is not None:
            for message in self._births():
                self.publish(message)
        self._refusal = ""
        self.takeovers.served()
        self._connected.set()

    def _on_disconnect(
        self, _client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if self._connected.is_set():
            self._connected.clear()
            if reason.is_failure:
                log.warning("site broker lost: %s", reason)
                self.takeovers.lost()

    def _on_connect_fail(self, _client: paho.Client, _data: Any) -> None:
        self.takeovers.unreachable()
        # paho keeps to itself what it caught, and calls this while it handles it.
        error = sys.exc_info()[1]
        if isinstance(error, ssl.SSLError) and self._refusal != str(error):
            self._refusal = str(error)
            log.warning("site broker %s:%d: %s", self._settings.host, self._port, error)


def _tls(ca: Path, certificate: tuple[Path, Path] | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(ca))
        if certificate is not None:
            context.load_cert_chain(*certificate)
    except OSError as error:
        what = f"GUSTBED_MQTT_CA={ca}" if certificate is None else f"{ca}, {certificate[0]}"
        raise GustbedError(
            f"{what}: {error.strerror or error}", "give the PEM files that gustbed_broker wrote"
        ) from error
    return context


def _send_at_once(_client: paho.Client, _data: Any, connection: Any) -> None:
    # Or the second of two small messages waits some 40 ms for the first one's acknowledgement.
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _callback(handler: Handler | Live) -> Callable[[paho.Client, Any, paho.MQTTMessage], None]:
    live, retained = (
        (handler.handler, handler.retained) if isinstance(handler, Live) else (handler, handler)
    )

    def call(_client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        take = retained if message.retain else live
        try:
            take(message.topic, bytes(message.payload))
        except Exception:
            log.exception("a handler failed on %s", message.topic)

    return call
