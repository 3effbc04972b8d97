"""What ``gustbed commission`` says when somebody else asks too, or the edge's disk is full."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from gustbed_cli.commands import commission
from gustbed_core.commissioning.messages import (
    CommissionAck,
    CommissionCommand,
    CommissioningInfo,
    CommissioningState,
    CorrectionInfo,
)
from gustbed_core.errors import GustbedError

FIRST = CorrectionInfo("c1.00000000", "windturbine 1.4.0", 1_764_288_000.0, 24.0, 960)
SECOND = replace(FIRST, version="c2.00000000")
RUNNING = CommissioningInfo("wt01", CommissioningState(running=0.5), earlier=[FIRST])
READY = CommissioningInfo("wt01", CommissioningState(ready=True), waiting=SECOND, earlier=[FIRST])
OWN = CommissioningInfo("wt01", CommissioningState("own", "c2.00000000"), SECOND, earlier=[FIRST])
NOTHING = CommissioningInfo("wt01", CommissioningState(), earlier=[FIRST])
REFUSED = CommissioningInfo("wt01", CommissioningState(refused="voltage changed"))
SILENT = GustbedError("the edge does not answer", "start the fleet with `gustbed up`")

Answers = Sequence[list[CommissioningInfo] | GustbedError]


class Edge:
    """Answers looks one after the other, the last one for ever, and every command alike."""

    def __init__(self, patch: pytest.MonkeyPatch, ack: CommissionAck, answers: Answers) -> None:
        self.commands: list[CommissionCommand] = []
        self._ack = ack
        self._answers = list(answers)
        patch.setattr(commission, "commission", self.obey)
        patch.setattr(commission, "_infos", self.look)
        patch.setattr(commission, "LOOK_EVERY", 0.0)

    def obey(self, command: CommissionCommand, _site: str | None) -> CommissionAck:
        """A command."""
        self.commands.append(command)
        return self._ack

    def look(self, _site: str | None) -> list[CommissioningInfo]:
        """A look."""
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, GustbedError):
            raise answer
        return answer


DONE = CommissionAck("1", ["wt01"])


def start(*more: str) -> tuple[int, str]:
    """``commission start wt01 --wait``: exit code and stderr."""
    done = CliRunner().invoke(commission.app, ["start", "wt01", "--wait", *more])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stderr


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (READY, None),
        (OWN, None),
        (REFUSED, "gustbed: wt01: voltage changed\n"),
        (NOTHING, "gustbed: wt01: its period ended without a result: somebody cancelled it"),
    ],
)
def test_waiting_says_how_each_period_ended(
    ended: CommissioningInfo, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    Edge(monkeypatch, DONE, [[RUNNING], [RUNNING], [ended]])
    code, stderr = start()
    assert "a period runs on 1 turbine, the slowest at 50%" in stderr
    assert code == (0 if said is None else 1)
    assert said is None or said in stderr


def test_waiting_outlives_an_edge_that_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    Edge(monkeypatch, DONE, [[RUNNING], SILENT, SILENT, [RUNNING], [OWN]])
    code, stderr = start()
    assert code == 0
    assert stderr.count("trying again") == 1


def test_waiting_ends_with_an_edge_that_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    Edge(monkeypatch, DONE, [[RUNNING], SILENT])
    done = CliRunner().invoke(commission.app, ["start", "wt01", "--wait"])
    assert done.exception is SILENT


def test_what_is_not_on_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    ack = replace(DONE, unsaved=["wt01"])
    Edge(monkeypatch, ack, [[OWN]])
    done = CliRunner().invoke(commission.app, ["accept", "wt01"])
    assert done.exit_code == 0
    assert done.stdout == "wt01: judged by its own correction\n"
    assert "gustbed: wt01: done, and not on disk yet: mend what" in done.stderr


def test_names_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    edge = Edge(monkeypatch, DONE, [[OWN]])
    empty = CliRunner().invoke(commission.app, ["undo", ""])
    assert (empty.exit_code, edge.commands) == (2, [])
    assert "a turbine's name is empty" in empty.stderr
    unknown = CliRunner().invoke(commission.app, ["status", "wt09"])
    assert str(unknown.exception) == "'wt09': no such turbine: see `gustbed status`"
