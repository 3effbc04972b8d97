"""The site broker speaks TLS by the site's own CA, on a real Mosquitto."""

import shutil
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gustbed_core import topics
from gustbed_core.errors import GustbedError
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import MqttSettings
from gustbed_core.site_directory import CA
from tests.support.mosquitto import Broker, mosquitto
from tests.support.ports import wait_until

MACHINES_AND_TOOLS = ("edge", "wt01", "twin", "operator")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with mosquitto(tmp_path_factory.mktemp("a site"), tls=True, names=("pi.example",)) as running:
        yield running


def refusal(settings: MqttSettings, user: str = "edge") -> str:
    with Session(settings, user=user) as session:
        with pytest.raises(GustbedError) as caught:
            session.wait_connected(3)
        return str(caught.value)


@pytest.mark.promise("S9")
@pytest.mark.parametrize("user", MACHINES_AND_TOOLS)
def test_every_user_connects_by_tls_once_it_knows_the_ca(broker: Broker, user: str) -> None:
    with Session(broker.settings, user=user) as session:
        session.wait_connected(30)


@pytest.mark.promise("S9")
@pytest.mark.parametrize("user", ["edge", "operator"])
def test_plaintext_is_not_served_beside_tls(broker: Broker, user: str) -> None:
    assert "no answer" in refusal(broker.settings.model_copy(update={"ca": None}), user)


@pytest.mark.promise("S9")
def test_a_broker_of_another_ca_is_not_trusted(broker: Broker, tmp_path: Path) -> None:
    with mosquitto(tmp_path, tls=True) as other:
        stranger = other.settings.model_copy(update={"ca": broker.settings.ca})
        assert "certificate verify failed" in refusal(stranger)


def test_a_missing_ca_is_named_with_its_variable(broker: Broker, tmp_path: Path) -> None:
    lost = broker.settings.model_copy(update={"ca": tmp_path / "lost.pem"})
    with pytest.raises(GustbedError, match=r"GUSTBED_MQTT_CA=.*lost.pem: No such file"):
        Session(lost, user="edge")


def test_keys_are_private_and_the_ca_lies_beside_the_passwords(broker: Broker) -> None:
    for name in ("site-ca.key", "server.key", "passwd", "mosquitto.conf"):
        assert stat.S_IMODE((broker.files.folder / name).stat().st_mode) == 0o600
    assert (broker.files.credentials / CA).read_bytes() == (broker.files.folder / CA).read_bytes()


def test_a_sensor_of_another_make_publishes_with_mosquitto_pub(broker: Broker) -> None:
    heard: list[bytes] = []
    topic = topics.telemetry("site-1", "wt03")
    program = shutil.which("mosquitto_pub")
    if program is None:
        pytest.skip("mosquitto-clients is not installed")
    with Session(
        broker.settings, user="operator", subscriptions={topic: lambda _t, p: heard.append(p)}
    ) as operator:
        operator.wait_connected(30)
        login = ("-u", "wt03", "-P", broker.settings.password("wt03") or "")
        place = ("-h", "localhost", "-p", str(broker.settings.port))
        ca = ("--cafile", str(broker.settings.ca))
        subprocess.run([program, *place, *ca, *login, "-t", topic, "-m", "block"], check=True)
        wait_until(lambda: heard == [b"block"], "the block is heard")


@pytest.mark.promise("S9")
def test_a_machine_may_have_to_show_a_certificate_of_its_own(tmp_path: Path) -> None:
    with mosquitto(tmp_path, tls=True, client_certificates=True) as place:
        heard: list[str] = []
        watch = {topics.every("telemetry", "site-1"): lambda t, _p: heard.append(t)}
        with (
            Session(place.settings, user="operator", subscriptions=watch) as operator,
            Session(place.settings, user="wt01") as turbine,
        ):
            operator.wait_connected(30)
            turbine.wait_connected(30)
            for name in ("wt02", "wt01"):
                turbine.publish(Message(topics.telemetry("site-1", name), b"block"))
            wait_until(lambda: heard, "the turbine is heard")
        assert heard == [topics.telemetry("site-1", "wt01")]
        # Neither a password alone nor the certificate of another makes one wt02.
        (place.files.credentials / "wt02.key").rename(tmp_path / "kept")
        assert refusal(place.settings, "wt02")


@pytest.mark.promise("S9")
def test_a_renewed_ca_replaces_all_it_signed(tmp_path: Path) -> None:
    with mosquitto(tmp_path, tls=True) as before:
        old = (before.files.credentials / CA).read_bytes()
        (tmp_path / "old.pem").write_bytes(old)
        server = (before.files.folder / "server.pem").read_bytes()
    with mosquitto(tmp_path, tls=True) as again:
        assert (again.files.folder / "server.pem").read_bytes() == server
    with mosquitto(tmp_path, tls=True, renew_ca=True) as after:
        with Session(after.settings, user="edge") as edge:
            edge.wait_connected(30)
        stale = after.settings.model_copy(update={"ca": tmp_path / "old.pem"})
        assert "certificate verify failed" in refusal(stale)


def init(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    places = ("--dir", str(folder / "broker"), "--credentials", str(folder / "credentials"))
    return subprocess.run(
        [sys.executable, "-m", "gustbed_broker", "init", *places, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.promise("S9")
@pytest.mark.parametrize("bind", [(), ("--host", "192.0.2.1"), ("--host", "farm.example")])
def test_any_other_address_than_this_machines_own_serves_tls_only(
    tmp_path: Path, bind: tuple[str, ...]
) -> None:
    done = init(tmp_path, *bind)
    assert done.returncode == 0, done.stderr
    lines = Path(done.stdout.strip()).read_text().splitlines()
    listeners = [line.split()[1] for line in lines if line.startswith("listener")]
    assert listeners == ["8884", "8885"]
    assert sum(line.startswith("keyfile") for line in lines) == 2
    plain = init(tmp_path, *bind, "--plaintext")
    assert plain.returncode == 1
    (line,) = plain.stderr.splitlines()
    assert line.startswith("gustbed-broker: plaintext on")
    assert "leave --plaintext out" in line
    assert init(tmp_path, *bind, "--plaintext", "--anonymous").returncode == 0


def test_loopback_is_plaintext_unless_asked(tmp_path: Path) -> None:
    done = init(tmp_path, "--host", "127.0.0.1")
    lines = Path(done.stdout.strip()).read_text().splitlines()
    assert [line for line in lines if line.startswith("listener")] == [
        "listener 1883 127.0.0.1",
        "listener 1884 127.0.0.1",
    ]
    assert "certfile" not in "".join(lines)


def shake_hands(broker: Broker, name: str) -> None:
    context = ssl.create_default_context(cafile=str(broker.settings.ca))
    with (
        socket.create_connection(("127.0.0.1", broker.settings.port), 10) as plain,
        context.wrap_socket(plain, server_hostname=name),
    ):
        pass


def test_the_certificate_is_for_the_names_it_was_told_and_no_other(broker: Broker) -> None:
    for name in ("pi.example", "broker", "localhost", "127.0.0.1"):
        shake_hands(broker, name)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(broker, "stranger.example")
