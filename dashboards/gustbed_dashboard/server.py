"""The pages' web server: Streamlit's own, behind a guard on ``Host`` and ``Origin``.

Streamlit checks them for its WebSocket alone; the guard stands before everything it serves.
"""

import logging
import signal
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import streamlit as st

from gustbed_core.web_origin import Refusal, refusal
from gustbed_dashboard.settings import DashboardSettings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger(__name__)

APP = Path(__file__).with_name("app.py")
_POLICY_VIOLATION = 1008
_SWITCH_SECONDS = 0.0005
"""How long a thread that draws pages may keep the one that hears the site waiting, at each read."""


class GuardedApp(st.App):
    """Streamlit that answers only to its own names; a refusal says which setting adds one."""

    def __init__(self, host: str, names: frozenset[str]) -> None:
        super().__init__(APP)
        self._host, self._names = host, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request or WebSocket, as ASGI says."""
        refused = None
        if scope["type"] in ("http", "websocket"):
            hosts, origins = _headers(scope, b"host"), _headers(scope, b"origin")
            reached = str((scope.get("server") or ("",))[0])
            refused = refusal(hosts, origins, (self._host, reached), self._names)
        if refused is None:
            await super().__call__(scope, receive, send)
        else:
            await _refuse(refused, scope, send)


def serve(settings: DashboardSettings, names: frozenset[str]) -> None:
    """Serve the pages until SIGTERM or SIGINT, as this site's ``names`` beside the address."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    for number in (signal.SIGTERM, signal.SIGINT):
        # The server closes in peace, then raises the signal again: that is a normal end here.
        signal.signal(number, lambda *_: sys.exit(0))
    # Streamlit looks for its configuration beside what was started.
    sys.argv = [str(APP)]
    GuardedApp(settings.host, names).run(
        config={
            "server.address": settings.host,
            "server.port": settings.port,
            "server.headless": True,
            # A proxy that does not pass the Host on: Streamlit must know its name as well.
            "server.corsAllowedOrigins": [f"https://{name}" for name in sorted(names)],
            "browser.gatherUsageStats": False,
        }
    )


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


async def _refuse(refused: Refusal, scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        # A browser shows its page nothing of a refused handshake, so the log says it.
        log.warning("%s", refused.line)
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        return
    body = f"{refused.line}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
