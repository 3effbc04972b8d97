"""Commands are checked, applied once by id, and answered; nothing malformed gets further."""

import logging
from dataclasses import replace

import msgspec
import pytest

from gustbed_core.codec import Encoding, encode
from gustbed_core.commands import Command
from gustbed_core.event_kinds import VOLTAGE
from gustbed_twin.publisher import commands
from gustbed_twin.publisher.commands import CommandHandler
from gustbed_twin.publisher.source import Step

IDS = ("wt01", "wt02")


class Recorder:
    """A source that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def step(self) -> Step | None:
        return None

    def inject(self, position: int, kind: str, severity: float, ramp_s: float, _signal: str) -> str:
        self.told.append(("inject", position, kind, severity, ramp_s))
        return ""

    def clear(self, position: int, kind: str | None, ramp_s: float) -> str:
        self.told.append(("clear", position, kind, ramp_s))
        return ""

    def control(self, position: int, action: str, value: float | None) -> str:
        self.told.append((action, position, value))
        return ""


@pytest.fixture
def source() -> Recorder:
    return Recorder()


@pytest.fixture
def desk(source: Recorder) -> CommandHandler:
    return CommandHandler(source, IDS)


INJECT = Command("inject", VOLTAGE, 0.5, 3.0, id="a")


@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_command_is_applied_and_answered(
    desk: CommandHandler, source: Recorder, encoding: Encoding
) -> None:
    ack = desk.handle(1, encode(INJECT, encoding))
    assert ack is not None
    assert (ack.id, ack.turbine, ack.accepted, ack.reason) == ("a", "wt02", True, "")
    assert source.told == [("inject", 1, VOLTAGE, 0.5, 3.0)]


def test_a_repeated_command_is_answered_again_and_applied_once(
    desk: CommandHandler, source: Recorder
) -> None:
    first, second = desk.handle(0, encode(INJECT)), desk.handle(0, encode(INJECT))
    assert first == second
    assert len(source.told) == 1


def test_turbines_remember_ids_apart(desk: CommandHandler, source: Recorder) -> None:
    desk.handle(0, encode(INJECT))
    desk.handle(1, encode(INJECT))
    assert [told[1] for told in source.told] == [0, 1]


def test_memory_of_ids_is_bounded(
    desk: CommandHandler, source: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "REMEMBERED", 3)
    for number in range(5):
        desk.handle(0, encode(replace(INJECT, id=str(number))))
    assert len(desk._answers[0]) == 3


def test_clearing_everything(desk: CommandHandler, source: Recorder) -> None:
    desk.handle(0, encode(Command("clear")))
    assert source.told == [("clear", 0, None, 0.0)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": None}, "needs a kind"),
        ({"severity": 1.5}, "severity"),
        ({"severity": -0.1}, "severity"),
        ({"severity": float("nan")}, "severity"),
        ({"ramp": -1.0}, "ramp"),
        ({"ramp": float("inf")}, "ramp"),
        ({"schema": 2}, "schema"),
    ],
)
def test_an_impossible_command_is_refused_with_the_reason(
    desk: CommandHandler, source: Recorder, changes: dict[str, float], reason: str
) -> None:
    # MessagePack, because JSON cannot even say NaN.
    ack = desk.handle(0, encode(replace(INJECT, **changes), Encoding.MSGPACK))  # type: ignore[arg-type]
    assert ack is not None
    assert not ack.accepted
    assert reason in ack.reason
    assert source.told == []


@pytest.mark.parametrize(
    "payload",
    [
        b'{"action":"explode","id":"a"}',
        b'{"action":"inject","severity":"much","id":"a"}',
        msgspec.msgpack.encode({"id": "a"}),
    ],
)
def test_wrong_fields_are_refused_by_id(
    desk: CommandHandler, source: Recorder, payload: bytes
) -> None:
    ack = desk.handle(0, payload)
    assert ack is not None
    assert ack.id == "a"
    assert not ack.accepted
    assert ack.reason.startswith("wrong_fields")
    assert source.told == []


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"id":7}',
        b'{"id":""}',
        b'{"action":"clear","id":""}',
        b'{"action":"clear","id":"' + b"x" * 500 + b'"}',
        b'{"id":"a","x":' + b"[" * 60_000,
        b'{"id":"' + b"x" * 10_000_000,
    ],
)
def test_what_cannot_be_answered_is_logged_in_a_line(
    desk: CommandHandler, source: Recorder, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert desk.handle(0, payload) is None
    assert source.told == []
    assert len(caplog.records) == 1
    assert len(caplog.records[0].getMessage()) < 300
