"""Health, status, events, models and metrics over HTTP, for containers and for people."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from gustbed_core import edge_http, web_origin
from gustbed_core.commissioning.messages import CommissioningInfo
from gustbed_core.edge_http import ModelInfo
from gustbed_core.errors import GustbedError
from gustbed_core.events import AnomalyEvent

log = logging.getLogger(__name__)

JSON = "application/json"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Views:
    """Where the answers come from. The ``reasons`` of ``health`` are empty while all is well.

    ``fleet`` is the id of the fleet that the edge belongs to, if it has one.
    """

    health: Callable[[], Mapping[str, object]]
    status: Callable[[], Mapping[str, object]]
    models: Callable[[], list[ModelInfo]]
    commissioning: Callable[[], list[CommissioningInfo]]
    events: Callable[[float], list[AnomalyEvent]]
    metrics: Callable[[], bytes]
    fleet: str = ""


class HealthServer:
    """Answers GET requests in the background until stopped.

    ``names`` are the hosts that it may be asked for as, beside its address and localhost.
    """

    def __init__(
        self, host: str, port: int, views: Views, names: frozenset[str] = frozenset()
    ) -> None:
        handler = type("Handler", (_Handler,), {"views": views, "host": host, "names": names})
        try:
            self._server = ThreadingHTTPServer((host, port), handler)
        except OSError as error:
            raise GustbedError(
                f"edge HTTP {host}:{port}: {error.strerror}",
                "free the port, or set GUSTBED_EDGE_HTTP_PORT to another",
            ) from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True
        )

    def start(self) -> None:
        """Begin answering."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    views: ClassVar[Views]
    host: ClassVar[str]
    names: ClassVar[frozenset[str]]
    protocol_version = "HTTP/1.1"
    timeout = 10
    server_version = "gustbed-edge"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer one request."""
        hosts, origins = self.headers.get_all("Host", []), self.headers.get_all("Origin", [])
        addresses = (self.host, str(self.connection.getsockname()[0]))
        refused = web_origin.refusal(hosts, origins, addresses, self.names)
        if refused is not None:
            self._send(refused.status, JSON, msgspec.json.encode({"error": refused.line}))
            return
        url = urlsplit(self.path)
        try:
            self._answer(url.path, parse_qs(url.query))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception:
            log.exception("GET %s failed", url.path)
            self._send(500, JSON, b'{"error": "internal"}')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's
        """Requests are not worth a log line each."""

    def _answer(self, path: str, query: dict[str, list[str]]) -> None:
        views = self.views
        if path == edge_http.HEALTH:
            health = views.health()
            bad = bool(health["reasons"])
            body = {"status": "degraded" if bad else "ok", **health}
            self._send(503 if bad else 200, JSON, msgspec.json.encode(body))
        elif path == edge_http.STATUS:
            self._send(200, JSON, msgspec.json.encode(views.status()))
        elif path == edge_http.EVENTS:
            try:
                since = float(query.get("since", ["0"])[0])
            except ValueError:
                self._send(400, JSON, b'{"error": "since must be a Unix time in seconds"}')
                return
            self._send(200, JSON, msgspec.json.encode(views.events(since)))
        elif path == edge_http.MODELS:
            self._send(200, JSON, msgspec.json.encode(views.models()))
        elif path == edge_http.COMMISSIONING:
            self._send(200, JSON, msgspec.json.encode(views.commissioning()))
        elif path == edge_http.METRICS:
            self._send(200, PROMETHEUS, views.metrics())
        else:
            known = {"error": f"try {', '.join(edge_http.PATHS)}"}
            self._send(404, JSON, msgspec.json.encode(known))

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.views.fleet:
            self.send_header(edge_http.FLEET_HEADER, self.views.fleet)
        self.end_headers()
        self.wfile.write(body)
