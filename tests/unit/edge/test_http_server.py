"""The HTTP answers, from a real server on a free port."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import msgspec
import pytest

from gustbed_core import event_kinds
from gustbed_core.commissioning.messages import CommissioningInfo, CommissioningState
from gustbed_core.edge_http import ModelInfo
from gustbed_core.errors import GustbedError
from gustbed_core.events import AnomalyEvent, ModelRef
from gustbed_edge.reporting.http_server import HealthServer, Views

EVENT = AnomalyEvent(
    "e", "s", "t", "wt01", event_kinds.ROTATION, 1.0, None, 2.0, ModelRef("m", "1.0.0"), "opened"
)

INFO = ModelInfo(ModelRef("m", "1.0.0"), "mini", "serve", "compact", {"vus_pr": 0.9}, "# Card")


STANDING = CommissioningInfo("wt01", CommissioningState("own", "c1.0123abcd"))


class Site:
    """A health server whose views a test can change."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.since: list[float] = []
        self.server = HealthServer(
            "127.0.0.1",
            0,
            Views(
                health=lambda: {"reasons": self.reasons, "models": {}},
                status=lambda: {"site": "s", "model": None},
                models=lambda: [INFO],
                commissioning=lambda: [STANDING],
                events=self.events,
                metrics=lambda: b"gustbed_up 1\n",
            ),
            frozenset({"edge"}),
        )

    def events(self, since: float) -> list[AnomalyEvent]:
        if since < 0:
            raise RuntimeError("broken")
        self.since.append(since)
        return [EVENT]

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.server.port}{path}", headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - http, ours
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    made.server.start()
    yield made
    made.server.stop()


def test_health_says_why_it_is_not_well(site: Site) -> None:
    assert site.get("/health") == (200, '{"status":"ok","reasons":[],"models":{}}')
    site.reasons = ["no model serves"]
    status, body = site.get("/health")
    assert status == 503
    assert json.loads(body)["reasons"] == ["no model serves"]


def test_events_take_a_time(site: Site) -> None:
    status, body = site.get("/events?since=12.5")
    assert status == 200
    assert json.loads(body)[0]["id"] == "e"
    assert site.get("/events")[0] == 200
    assert site.since == [12.5, 0.0]


def test_models_are_told_with_their_figures_and_cards(site: Site) -> None:
    status, body = site.get("/models")
    assert status == 200
    assert msgspec.json.decode(body, type=list[ModelInfo]) == [INFO]


def test_commissioning_is_told_by_turbine(site: Site) -> None:
    status, body = site.get("/commissioning")
    assert status == 200
    assert msgspec.json.decode(body, type=list[CommissioningInfo]) == [STANDING]


@pytest.mark.parametrize("since", ["yesterday", ""])
def test_a_bad_time_is_refused_or_ignored(since: str, site: Site) -> None:
    assert site.get(f"/events?since={since}")[0] == (400 if since else 200)


def test_other_paths_are_named(site: Site) -> None:
    status, body = site.get("/nothing")
    assert status == 404
    assert json.loads(body) == {
        "error": "try /health, /status, /events, /models, /commissioning, /metrics"
    }


def test_a_view_that_fails_is_a_500_and_the_server_goes_on(site: Site) -> None:
    assert site.get("/events?since=-1")[0] == 500
    assert site.get("/metrics") == (200, "gustbed_up 1\n")


def test_a_taken_port_is_named_with_the_mend() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(GustbedError, match=f"{port}.*GUSTBED_EDGE_HTTP_PORT"):
            HealthServer("127.0.0.1", port, Site.__new__(Site))  # type: ignore[arg-type]


@pytest.mark.promise("S8")
@pytest.mark.parametrize("path", ["/health", "/status", "/events", "/models", "/metrics", "/"])
def test_a_foreign_host_or_origin_is_refused_on_every_path(path: str, site: Site) -> None:
    for headers, expected in (
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
    ):
        status, body = site.get(path, **headers)
        assert status == expected
        assert "GUSTBED_HTTP_ALLOWED_HOSTS" in json.loads(body)["error"]
    assert site.get(path, Host="edge:8070")[0] in (200, 404)
