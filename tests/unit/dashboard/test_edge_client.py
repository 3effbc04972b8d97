"""The edge's HTTP as the dashboard asks it, on a real server."""

from collections.abc import Iterator

import pytest

from gustbed_core import web_origin
from gustbed_core.edge_http import ModelInfo
from gustbed_core.errors import GustbedError
from gustbed_core.events import ModelRef
from gustbed_core.web_origin import Refusal
from gustbed_dashboard.site.edge_client import EdgeClient
from tests.support.edge_http import edge_http
from tests.support.ports import free_port

INFO = ModelInfo(ModelRef("m", "1.0.0"), "mini", "serve", "compact")


@pytest.fixture
def port() -> Iterator[int]:
    with edge_http(INFO) as server:
        yield server.port


@pytest.mark.promise("P0")
def test_a_proxy_of_the_environment_has_no_part_in_it(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert EdgeClient(f"http://127.0.0.1:{port}").models() == [INFO]


def test_a_refusal_is_told_in_the_edges_words(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = Refusal(421, "no such name: add it to A_SETTING")
    monkeypatch.setattr(web_origin, "refusal", lambda *_headers: refusal)

    with pytest.raises(GustbedError, match=r"edge at http.*: no such name: add it to A_SETTING"):
        EdgeClient(f"http://127.0.0.1:{port}").models()


def test_an_edge_that_is_away_is_named() -> None:
    with pytest.raises(GustbedError, match="GUSTBED_EDGE_URL"):
        EdgeClient(f"http://127.0.0.1:{free_port()}").events(0.0)


def test_an_edge_of_a_directory_is_named_by_its_file() -> None:
    with pytest.raises(GustbedError, match=r"is it running\? x/site.json names its address"):
        EdgeClient(f"http://127.0.0.1:{free_port()}", "x/site.json names its address").models()
