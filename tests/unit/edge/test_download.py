"""Downloads from a real HTTP server that misbehaves in every way we could think of."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gustbed_core.package import PackageError
from gustbed_edge.models.download import ATTEMPTS, download

BODY = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(BODY).hexdigest()
Answer = Callable[[BaseHTTPRequestHandler], None]


class Store:
    """An artifact store whose answers a test chooses, one per request; the last one stays."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [whole]
        self.requests = 0
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                store.requests += 1
                answer = store.answers.pop(0) if len(store.answers) > 1 else store.answers[0]
                answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.host}/package"


def send(body: bytes, *, status: int = 200, length: int | None = None, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        request.end_headers()
        try:
            request.wfile.write(body)
        except ConnectionError:
            request.close_connection = True

    return answer


whole = send(BODY)
cut_off = send(BODY[:5000], length=len(BODY))
broken = send(b"", status=503)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Store()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def fetch(store: Store, tmp_path: Path, *, url: str = "", size: int = len(BODY)) -> bytes:
    waits: list[float] = []
    hosts = (store.host, "127.0.0.1:9")
    return download(url or store.url, size, SHA256, tmp_path, hosts, wait=waits.append)


def refusal(store: Store, tmp_path: Path, *, url: str = "", size: int = len(BODY)) -> str:
    with pytest.raises(PackageError) as refused:
        fetch(store, tmp_path, url=url, size=size)
    assert list(tmp_path.iterdir()) == [], "nothing may be left behind"
    return refused.value.reason


def test_a_package_comes_whole_and_leaves_nothing_behind(store: Store, tmp_path: Path) -> None:
    assert fetch(store, tmp_path) == BODY
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failure", [cut_off, broken])
def test_a_failure_that_passes_is_survived(failure: Answer, store: Store, tmp_path: Path) -> None:
    store.answers = [failure, whole]
    assert fetch(store, tmp_path) == BODY
    assert store.requests == 2


def test_a_failure_that_stays_ends_after_some_attempts(store: Store, tmp_path: Path) -> None:
    store.answers = [broken]
    assert refusal(store, tmp_path) == "download_failed"
    assert store.requests == ATTEMPTS


def test_an_expired_link_is_not_tried_again(store: Store, tmp_path: Path) -> None:
    store.answers = [send(b"<Error>expired</Error>", status=403)]
    assert refusal(store, tmp_path) == "download_failed"
    assert store.requests == 1


@pytest.mark.promise("O2")
def test_more_bytes_than_released_are_not_taken(store: Store, tmp_path: Path) -> None:
    store.answers = [send(BODY * 20)]
    assert refusal(store, tmp_path) == "wrong_size"


@pytest.mark.promise("O2")
def test_a_truncated_package_is_not_taken(store: Store, tmp_path: Path) -> None:
    store.answers = [send(BODY[:-1])]
    assert refusal(store, tmp_path) == "wrong_size"
    assert store.requests == 1


@pytest.mark.promise("O2")
def test_other_bytes_than_released_are_not_taken(store: Store, tmp_path: Path) -> None:
    store.answers = [send(BODY[::-1])]
    assert refusal(store, tmp_path) == "wrong_digest"


@pytest.mark.promise("S5")
@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "/etc/passwd", "", "s3://b"])
def test_only_http_addresses_are_fetched(url: str, store: Store, tmp_path: Path) -> None:
    with pytest.raises(PackageError) as refused:
        download(url, 10, SHA256, tmp_path, ["host", "b", ""])
    assert refused.value.reason == "bad_url"
    assert store.requests == 0


@pytest.mark.promise("S5")
def test_a_redirect_to_a_file_is_not_followed(store: Store, tmp_path: Path) -> None:
    store.answers = [send(b"", status=302, Location="file:///etc/passwd")]
    assert refusal(store, tmp_path) == "download_failed"


def test_a_redirect_within_http_is_followed(store: Store, tmp_path: Path) -> None:
    store.answers = [send(b"", status=302, Location=store.url), whole]
    assert fetch(store, tmp_path) == BODY


@pytest.mark.promise("S5")
def test_a_redirect_to_a_host_that_is_not_allowed_is_not_followed(
    store: Store, tmp_path: Path
) -> None:
    elsewhere = store.url.replace("127.0.0.1", "localhost")
    store.answers = [send(b"", status=302, Location=elsewhere), whole]
    assert refusal(store, tmp_path) == "foreign_host"
    assert store.requests == 1


def test_nobody_listening_is_a_failed_download(store: Store, tmp_path: Path) -> None:
    assert refusal(store, tmp_path, url="http://127.0.0.1:9/x") == "download_failed"
