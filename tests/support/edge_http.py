"""An edge's HTTP without an edge behind it: a real server with fixed answers."""

from collections.abc import Iterator
from contextlib import contextmanager

from gustbed_core.edge_http import ModelInfo
from gustbed_edge.reporting.http_server import HealthServer, Views


@contextmanager
def edge_http(*models: ModelInfo) -> Iterator[HealthServer]:
    """Serve a healthy edge that runs these models, on a free port, until the block ends."""
    views = Views(
        health=lambda: {"reasons": []},
        status=dict,
        models=lambda: list(models),
        commissioning=list,
        events=lambda _since: [],
        metrics=lambda: b"",
    )
    server = HealthServer("127.0.0.1", 0, views)
    server.start()
    try:
        yield server
    finally:
        server.stop()
