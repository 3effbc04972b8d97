"""AWS IoT named shadows as this edge uses them: update one, be told what is wanted otherwise.

Wildcards serve all turbines with three subscriptions, for a connection may have 50 only; the
device SDK's shadow client would subscribe for each shadow anew.
"""

import json
import logging
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any
from uuid import uuid4

from awscrt import mqtt_request_response as rr
from awsiot.iotshadow import ShadowState, UpdateNamedShadowRequest, V2ErrorResponse

from gustbed_core import codec
from gustbed_edge.cloud.ports import ShadowRefusedError, ShadowsUnavailableError

log = logging.getLogger(__name__)

REQUEST_SECONDS = 15
BUSY = (429, 500)
"""Too many requests, and an error of the service's own: worth another try."""


class AwsShadows:
    """The named shadows of one thing over whichever MQTT client there is; ``online`` tells if it
    is connected.
    """

    def __init__(self, thing: str, online: Callable[[], bool]) -> None:
        self._prefix = f"$aws/things/{thing}/shadow/name/"
        self._online = online
        self._client: rr.Client | None = None

    @property
    def connected(self) -> bool:
        """Whether it is worth trying."""
        return self._client is not None and self._online()

    def use(self, client: Any, on_delta: Callable[[str, bytes], None]) -> None:
        """Talk over this client from now on; None: there is none any more. ``on_delta`` gets a
        shadow's name and the service's message. Must not block.
        """
        if client is None:
            self._client = None
            return
        self._on_delta = on_delta
        options = rr.ClientOptions(
            max_request_response_subscriptions=2,
            max_streaming_subscriptions=1,
            operation_timeout_in_seconds=REQUEST_SECONDS,
        )
        made = rr.Client(client, options)
        self._stream = made.create_stream(
            rr.StreamingOperationOptions(
                self._topic("+", "/delta"), self._subscription, self._received
            )
        )
        self._stream.open()
        self._client = made

    def update(self, shadow: str, reported: dict[str, object]) -> None:
        """Set what a shadow reports. Raises ``ShadowsUnavailableError`` or
        ``ShadowRefusedError``.
        """
        client = self._client
        if client is None:
            raise ShadowsUnavailableError("not connected")
        token = str(uuid4())
        request = UpdateNamedShadowRequest(
            client_token=token, state=ShadowState(reported=reported)
        ).to_payload()
        answers = ("/accepted", "/rejected")
        options = rr.RequestOptions(
            subscription_topic_filters=[self._topic("+", answer) for answer in answers],
            response_paths=[
                rr.ResponsePath(self._topic(shadow, answer), "clientToken") for answer in answers
            ],
            publish_topic=self._topic(shadow),
            payload=codec.encode(request),
            correlation_token=token,
        )
        try:
            response = client.make_request(options).result(REQUEST_SECONDS + 5)
        except FutureTimeout as error:
            raise ShadowsUnavailableError("no answer") from error
        except Exception as error:
            raise ShadowsUnavailableError(str(error)) from error
        if response.topic.endswith("/rejected"):
            self._refused(response.payload)

    def _refused(self, payload: bytes) -> None:
        error = V2ErrorResponse.from_payload(json.loads(payload))
        if error.code in BUSY:
            raise ShadowsUnavailableError(f"{error.code} {error.message}")
        raise ShadowRefusedError(f"{error.code} {error.message}")

    def _topic(self, shadow: str, answer: str = "") -> str:
        return f"{self._prefix}{shadow}/update{answer}"

    def _received(self, event: rr.IncomingPublishEvent) -> None:
        try:
            shadow = event.topic.removeprefix(self._prefix).partition("/")[0]
            self._on_delta(shadow, event.payload or b"")
        except Exception:
            # Raised into the SDK's event loop it would be lost.
            log.exception("a message on %s failed", event.topic)

    def _subscription(self, event: rr.SubscriptionStatusEvent) -> None:
        if event.type is rr.SubscriptionStatusEventType.SUBSCRIPTION_HALTED:
            log.warning("desired states from the cloud are not to be had: %s", event.error)
