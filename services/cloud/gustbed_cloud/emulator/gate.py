"""The emulator's door: requests are signed with its own key, and its back doors are shut.

MiniStack checks the signatures of users and sessions, and takes whatever claims to be its root.
"""

import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from access import AccessKey
from signed import MAX_BODY, VERIFY, Refusal
from trouble import Trouble

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

FLEET_HEADER = b"gustbed-fleet"
BACK_DOORS = ("/_ministack/", "/_localstack/")
HEALTH = ("/_ministack/ready", "/_ministack/health")
OPEN = (*HEALTH, "/_ministack/iot/ca.pem")
"""What everybody may read: nothing in it is secret, and it is asked before there is a key."""


def require_signatures(evaluator: Any, sts: Any, key: AccessKey) -> None:
    """Let MiniStack take its root's requests only if they are signed with ``key``."""
    os.environ["AWS_ACCESS_KEY_ID"] = key.id
    os.environ["AWS_SECRET_ACCESS_KEY"] = key.secret
    os.environ.pop("AWS_SESSION_TOKEN", None)

    def is_root(access_key_id: str) -> bool:
        return access_key_id == key.id

    evaluator.is_root_access_key = is_root
    sts.is_root_access_key = is_root
    # Whose signature need not be looked at: nobody's.
    evaluator._is_root_key = lambda _access_key_id: False


class Gate:
    """An ASGI application before MiniStack's. ``fleet``: shown with every answer if not empty."""

    def __init__(
        self, app: App, fleet: str, trouble: Trouble, verify: Callable[[bytes], Refusal]
    ) -> None:
        self._app = app
        self._verify = verify
        self._fleet = fleet
        self._trouble = trouble

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if path.startswith(BACK_DOORS) and not (path in OPEN and scope["method"] == "GET"):
            refusal = {"__type": "AccessDeniedException", "message": f"{path} is not served here"}
            await _answer(self._show_fleet(send), 403, refusal)
            return
        if path == VERIFY:
            body = await _read(receive) if scope["method"] == "POST" else b""
            await _answer(self._show_fleet(send), 200, self._verify(body))
            return
        if path in HEALTH and self._trouble.reason:
            sick = {"status": "degraded", "reasons": [self._trouble.reason]}
            await _answer(self._show_fleet(send), 503, sick)
            return
        await self._app(scope, receive, self._show_fleet(send))

    def _show_fleet(self, send: Send) -> Send:
        async def shown(message: MutableMapping[str, Any]) -> None:
            if self._fleet and message["type"] == "http.response.start":
                headers = [*message.get("headers", []), (FLEET_HEADER, self._fleet.encode())]
                message = {**message, "headers": headers}
            await send(message)

        return shown


async def _read(receive: Receive) -> bytes:
    """A request's body, if it is no longer than what the registry sends."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > MAX_BODY:
            return body if len(body) <= MAX_BODY else b""


async def _answer(send: Send, status: int, content: object) -> None:
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
