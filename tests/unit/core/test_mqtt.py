"""What a session says of its connection, with a broker that answers when told to."""

import socket

import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import MqttSettings
from tests.support.ports import wait_until

CONNECT, CONNACK, PUBLISH, SUBSCRIBE, SUBACK = 0x10, 0x20, 0x30, 0x80, 0x90
ACCEPTED, NOT_AUTHORISED = b"\0\0", b"\0\5"
REFUSED = 0x80


class SlowBroker:
    """Speaks just enough MQTT 3.1.1 to answer a client when the test says so."""

    def __init__(self, listening: socket.socket) -> None:
        listening.settimeout(30)
        self._connection, _ = listening.accept()
        self._connection.settimeout(30)

    def read(self) -> tuple[int, bytes]:
        """Return the kind and the body of the client's next packet (of at most 127 bytes)."""
        kind, size = self._exactly(2)
        return kind & 0xF0, self._exactly(size)

    def write(self, kind: int, body: bytes) -> None:
        self._connection.sendall(bytes([kind, len(body)]) + body)

    def __enter__(self) -> "SlowBroker":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _exactly(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            more = self._connection.recv(size - len(got))
            assert more, "the client went away"
            got += more
        return got


@pytest.mark.parametrize("answer", [1, REFUSED], ids=["granted", "refused"])
def test_session_is_connected_and_says_so_once_it_hears(
    answer: int, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        session = Session(
            MqttSettings(port=listening.getsockname()[1]),
            user="",
            client_id="edge",
            subscriptions={"farm/#": lambda _topic, _body: None},
            births=lambda: [Message("farm/state", b"online", qos=0)],
        )
        with session, SlowBroker(listening) as broker:
            assert broker.read()[0] == CONNECT
            broker.write(CONNACK, ACCEPTED)
            kind, body = broker.read()
            assert kind == SUBSCRIBE
            assert not session.connected
            broker.write(SUBACK, body[:2] + bytes([answer]))
            session.wait_connected(30)
            assert broker.read() == (PUBLISH, b"\0\x0afarm/stateonline")
    assert ("refused user '' to hear farm/#" in caplog.text) == (answer == REFUSED)


def test_a_refusal_that_was_mended_is_not_told_of_a_later_loss() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        session = Session(
            MqttSettings(port=listening.getsockname()[1]), user="wt01", client_id="wt01"
        )
        with session:
            with SlowBroker(listening) as broker:
                broker.read()
                broker.write(CONNACK, NOT_AUTHORISED)
            with SlowBroker(listening) as broker:
                with pytest.raises(GustbedError, match="refused user 'wt01'"):
                    session.wait_connected(0)
                broker.read()
                broker.write(CONNACK, ACCEPTED)
                session.wait_connected(30)
            wait_until(lambda: not session.connected, "the loss is seen")
            with pytest.raises(GustbedError, match="no answer"):
                session.wait_connected(0)
