"""The connection to AWS IoT Core: MQTT 5 over mutual TLS, by the AWS IoT Device SDK.

It waits for enrolment, stays connected by itself and connects anew when the answer changes.
The session is persistent, so that job notifications queue up while the edge is away.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Any

from awscrt import mqtt5
from awsiot import mqtt5_client_builder

from gustbed_core.errors import GustbedError
from gustbed_core.worker import Worker
from gustbed_edge.cloud.aws.enrolment import Answer, AwsIdentity

log = logging.getLogger(__name__)

WATCH_SECONDS = 1.0
STOP_SECONDS = 2.0
KEEP_ALIVE_SECONDS = 30
PING_TIMEOUT_MS = 10_000
CONNACK_TIMEOUT_MS = 10_000
ACK_SECONDS = 20
RECONNECT_MS = (500, 8_000)
"""First and longest wait between attempts to connect."""
SESSION_SECONDS = 24 * 3600


class IotConnection(Worker):
    """One thing's connection."""

    def __init__(self, identity: AwsIdentity) -> None:
        super().__init__("uplink")
        self._identity = identity
        self._on_client: Callable[[Any], None] = lambda _client: None
        self._on_connected: Callable[[], None] = lambda: None
        self._connected = threading.Event()
        self._client: Any = None
        self._answer: Answer | None = None
        self._complaint = ""
        self._refusal = ""
        self._request: Path | None = None

    @property
    def connected(self) -> bool:
        """Whether IoT Core has accepted this thing and not lost it since."""
        return self._connected.is_set()

    def connect(self, on_client: Callable[[Any], None], on_connected: Callable[[], None]) -> None:
        """Begin watching the enrolment folder and connecting.

        ``on_client`` gets every new client before it connects, and None when it goes;
        ``on_connected`` is called after each connection. Both must not block.
        """
        self._on_client, self._on_connected = on_client, on_connected
        self.start()

    def disconnect(self) -> None:
        """Disconnect, and stay so."""
        self.stop(STOP_SECONDS)
        self._disconnect()

    def turn(self) -> float:
        """Look whether enrolment has another answer."""
        try:
            self._look()
        except GustbedError as error:
            self._complain_unless_refused(str(error))
        return WATCH_SECONDS

    def publish(self, topic: str, payload: bytes, timeout: float) -> bool:
        """Publish at QoS 1 and wait for the acknowledgement. False if it did not come."""
        client = self._client
        if client is None or not self.connected:
            return False
        packet = mqtt5.PublishPacket(topic=topic, payload=payload, qos=mqtt5.QoS.AT_LEAST_ONCE)
        future: Future[Any] = client.publish(packet)
        try:
            puback = future.result(timeout).puback
        except FutureTimeout:
            return False
        except Exception as error:  # noqa: BLE001 - the SDK raises AwsCrtError and others
            log.info("publishing to %s failed: %s", topic, error)
            return False
        if puback.reason_code >= mqtt5.PubackReasonCode.UNSPECIFIED_ERROR:
            log.warning("IoT Core refused a message on %s: %s", topic, puback.reason_code)
            return False
        return True

    def _look(self) -> None:
        if self._request is None or not self._request.exists():
            self._request = self._identity.request()
        answer = self._identity.answer()
        self._refusal = self._identity.refusal()
        if self._refusal:
            self._complain(f"enrolment refused: {self._refusal}")
        elif answer is None:
            self._complain(f"not enrolled yet: waiting for an answer in {self._identity.folder}")
        if answer is not None and answer != self._answer:
            self._disconnect()
            self._connect(answer)

    def _complain(self, complaint: str) -> None:
        # Said once, not every second.
        if complaint != self._complaint:
            log.warning("cloud: %s", complaint)
            self._complaint = complaint

    def _complain_unless_refused(self, complaint: str) -> None:
        # The refusal says why; the two must not take turns in the log.
        if not self._refusal:
            self._complain(complaint)

    def _connect(self, answer: Answer) -> None:
        endpoint = answer.endpoint
        try:
            client = mqtt5_client_builder.mtls_from_bytes(
                answer.certificate,
                self._identity.key.read_bytes(),
                endpoint=endpoint.host,
                port=endpoint.port,
                ca_bytes=answer.ca,
                client_id=self._identity.thing,
                session_behavior=mqtt5.ClientSessionBehaviorType.REJOIN_ALWAYS,
                session_expiry_interval_sec=SESSION_SECONDS,
                offline_queue_behavior=(
                    mqtt5.ClientOperationQueueBehaviorType.FAIL_ALL_ON_DISCONNECT
                ),
                keep_alive_interval_sec=KEEP_ALIVE_SECONDS,
                ping_timeout_ms=PING_TIMEOUT_MS,
                connack_timeout_ms=CONNACK_TIMEOUT_MS,
                ack_timeout_sec=ACK_SECONDS,
                min_reconnect_delay_ms=RECONNECT_MS[0],
                max_reconnect_delay_ms=RECONNECT_MS[1],
                on_lifecycle_connection_success=self._succeeded,
                on_lifecycle_connection_failure=self._failed,
                on_lifecycle_disconnection=self._lost,
                enable_metrics_collection=False,
            )
        except Exception as error:
            self._answer = None
            raise GustbedError(
                f"{self._identity.folder}: the certificate or CA cannot be used: {error}",
                "enrol again",
            ) from error
        self._answer, self._client = answer, client
        self._on_client(client)
        client.start()
        log.info("connecting to %s:%d as %s", endpoint.host, endpoint.port, self._identity.thing)

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        self._connected.clear()
        if client is not None:
            self._on_client(None)
            client.stop()

    def _succeeded(self, _data: Any) -> None:
        self._complaint = ""
        self._connected.set()
        log.info("connected to IoT Core")
        self._on_connected()

    def _failed(self, data: Any) -> None:
        reason = data.connack_packet.reason_code if data.connack_packet else data.exception
        self._complain_unless_refused(f"cannot connect: {reason}")

    def _lost(self, data: Any) -> None:
        self._connected.clear()
        if not self.stopping:
            log.warning("connection to IoT Core lost: %s", data.exception)
