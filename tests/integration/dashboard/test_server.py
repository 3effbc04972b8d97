"""The dashboard's web server, asked by raw requests: who gets an answer, and how it ends."""

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.support.dashboard import Dashboard, start_dashboard
from tests.support.ports import free_port, wait_until

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
}
STREAM = "/_stcore/stream"
PATHS = (
    "/",
    "/fleet",
    "/_stcore/health",
    "/_stcore/host-config",
    "/app/static/inter.woff2",
    STREAM,
)
SETTING = "GUSTBED_HTTP_ALLOWED_HOSTS"


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("dashboard")
    running = start_dashboard(folder, free_port(), variables={SETTING: "dashboard, ops.example"})
    try:
        wait_until(lambda: running.health() == 0, "the dashboard is healthy", timeout=90)
        yield running
    finally:
        code = running.stop()
    assert code == 0
    assert "Traceback" not in running.log.read_text()


def ask(dashboard: Dashboard, path: str, **headers: str) -> tuple[int, str]:
    """Status and body of a request whose headers are these and, unless given, the right host."""
    address = urlsplit(dashboard.url).netloc
    given = {"Host": address, **(HANDSHAKE if path == STREAM else {}), **headers}
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
    for name, value in given.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = "" if answer.status == 101 else answer.read().decode("utf-8", "replace")
    connection.close()
    return answer.status, body


@pytest.mark.promise("S8")
@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_host_reaches_no_page_and_no_stream(path: str, dashboard: Dashboard) -> None:
    for host in ("evil.example", "evil.example:8501", "192.0.2.1"):
        status, body = ask(dashboard, path, Host=host)
        assert status == (403 if path == STREAM else 421)
        assert path == STREAM or (SETTING in body and body.count("\n") == 1)


@pytest.mark.promise("S8")
@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_page_reaches_no_page_and_no_stream(path: str, dashboard: Dashboard) -> None:
    for origin in ("http://evil.example", "null", "http://localhost:3000"):
        assert ask(dashboard, path, Origin=origin)[0] == 403
    assert SETTING in dashboard.log.read_text()


@pytest.mark.parametrize("path", PATHS)
def test_its_own_names_get_answers(path: str, dashboard: Dashboard) -> None:
    right = 101 if path == STREAM else 200
    port = urlsplit(dashboard.url).port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "dashboard:8501"):
        assert ask(dashboard, path, Host=host, Origin=f"http://{host}")[0] == right
    # Behind a proxy that does not pass the host on.
    assert ask(dashboard, path, Origin="https://ops.example")[0] == right
