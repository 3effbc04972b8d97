"""A person's proxy, Python, time zone, locale and AWS profile change nothing of a local fleet."""

import configparser
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gustbed_cli.record import Record, read_record, write_record
from tests.support.cloud import LocalCloud, local_cloud
from tests.support.paths import ROOT


class Proxy:
    """A proxy that answers nobody, and counts who asked."""

    def __init__(self) -> None:
        self.asked = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.asked += 1
            connection.close()

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path_factory.mktemp("cloud"), deploy=False) as running:
        yield running


@pytest.fixture
def home(cloud: LocalCloud, tmp_path: Path) -> Path:
    """A home whose fleet's cloud that is."""
    addresses: dict[str, int | str] = {
        "port_aws": cloud.port,
        "port_registry": cloud.registry_port,
    }
    record = Record(
        runtime="process", target="local", site="site-1", turbines=6, addresses=addresses
    )
    write_record(tmp_path, record)
    key = configparser.ConfigParser(interpolation=None)
    key["default"] = {
        "aws_access_key_id": cloud.access_key,
        "aws_secret_access_key": cloud.secret,
    }
    (tmp_path / "aws").mkdir()
    with (tmp_path / "aws" / "credentials").open("w") as file:
        key.write(file)
    return tmp_path


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    listening = Proxy()
    yield listening
    listening.close()


def shell(home: Path) -> dict[str, str]:
    """A shell that knows nothing but the home folder."""
    ours = ("GUSTBED_", "AWS_", "COMPOSE_", "RUNTIME", "TARGET")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return plain | {"GUSTBED_HOME": str(home)}


def foreign(folder: Path, proxy: Proxy) -> dict[str, str]:
    """A shell that speaks of many things, none of them this fleet."""
    shadow = folder / "shadow"
    shadow.mkdir()
    (shadow / "typer.py").write_text("raise SystemExit('shadowed')")
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"), proxy.url)
    return proxies | {
        "PYTHONPATH": str(shadow),
        "PYTHONSTARTUP": str(shadow / "typer.py"),
        "AWS_PROFILE": "production",
        "AWS_ENDPOINT_URL": proxy.url,
        "AWS_ENDPOINT_URL_CLOUDFORMATION": proxy.url,
        "AWS_ACCESS_KEY_ID": "mine",
        "AWS_SECRET_ACCESS_KEY": "mine",
        "AWS_CONFIG_FILE": "/nowhere",
        "TZ": "Asia/Kolkata",
        "LC_ALL": "C",
        "LANG": "C",
    }


@pytest.mark.promise("P0")
@pytest.mark.parametrize("command", [("jobs",), ("model", "list")])
def test_a_foreign_environment_changes_nothing(
    cloud: LocalCloud, home: Path, proxy: Proxy, command: tuple[str, ...]
) -> None:
    plain = shell(home)

    def said(environment: dict[str, str]) -> tuple[int, str, str]:
        done = subprocess.run(
            [str(ROOT / "gustbed"), *command, "--json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    answer = said(plain | foreign(home, proxy))
    # The cloud is empty: that its stack is not there is what its emulator says.
    assert "stack gustbed" in answer[2]
    assert answer == said(plain)
    assert proxy.asked == 0


@pytest.mark.promise("P0")
def test_a_strangers_cloud_is_named_and_asked_nothing(cloud: LocalCloud, home: Path) -> None:
    record = read_record(home)
    assert record is not None
    write_record(home, msgspec.structs.replace(record, fleet="f1"))
    done = subprocess.run(
        [str(ROOT / "gustbed"), "jobs"],
        env=shell(home),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert f"127.0.0.1:{cloud.port}" in done.stderr
    assert "not to fleet f1" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
