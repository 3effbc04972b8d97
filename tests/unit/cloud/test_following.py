"""Waiting for a rollout ends in time, and with the reason."""

from types import SimpleNamespace
from typing import Any

import pytest

from gustbed_cloud import following
from gustbed_cloud.following import JOB_WITHIN, follow_rollout
from gustbed_cloud.models import ModelVersion
from gustbed_cloud.rollouts import Execution, Job
from gustbed_core.approvals import ApprovalRecord
from gustbed_core.errors import GustbedError
from gustbed_core.registrations import GateResult

APPROVAL = ApprovalRecord(
    "tiny", "1.1.0", 3, "approved", "operator", "arn:ann", 1.0, "", GateResult(passed=True)
)
APPROVED = ModelVersion("tiny", "1.1.0", "Approved", 0.0, None, "", "", "serve", approval=APPROVAL)


class Waiting:
    """A rollout that a test scripts, and a clock that goes on while one waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.script: list[Job | None] = []
        self.edges = ["edge-1"]
        self.said: list[str] = []
        self.asked: set[str] = set()

        def find(_: object, job_id: str) -> Job | None:
            self.asked.add(job_id)
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

        monkeypatch.setattr(following, "find_job", find)

    def client(self, _service: str) -> Any:
        return SimpleNamespace(list_things_in_thing_group=lambda **_: {"things": self.edges})

    def run(self, *script: Job | None, within: float = 600.0) -> None:
        self.script = list(script)
        cloud: Any = SimpleNamespace(
            client=self.client,
            outputs=SimpleNamespace(thing_group_name="group", model_packager_name="packager"),
        )

        def pause(seconds: float) -> None:
            self.now += seconds

        follow_rollout(
            cloud, APPROVED, within, self.said.append, clock=lambda: self.now, pause=pause
        )


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    return Waiting(monkeypatch)


def job(status: str = "IN_PROGRESS", **executions: str | tuple[str, str, str]) -> Job:
    """Executions by edge: a status, or status, reason and detail."""
    found = []
    for thing, says in executions.items():
        state, reason, detail = (says, "", "") if isinstance(says, str) else says
        details = {"detail": detail} if detail else {}
        found.append(Execution(thing, state, reason, None, None, None, details))
    return Job(APPROVAL.rollout, "tiny", "1.1.0", status, None, None, tuple(found))


def test_it_ends_when_every_edge_has_it(waiting: Waiting) -> None:
    waiting.run(
        None, job(a="QUEUED", b="QUEUED"), job(a="SUCCEEDED", b="IN_PROGRESS"),
        job(a="SUCCEEDED", b="SUCCEEDED"),
    )  # fmt: skip
    assert waiting.said == [
        "waiting for the job",
        "a QUEUED, b QUEUED",
        "a SUCCEEDED, b IN_PROGRESS",
        "a SUCCEEDED, b SUCCEEDED",
    ]
    assert waiting.asked == {APPROVAL.rollout}, "no earlier rollout of the version counts"


@pytest.mark.promise("O10")
@pytest.mark.parametrize(
    ("executions", "says"),
    [
        (
            {"a": ("FAILED", "golden_mismatch", "they differ by 3"), "b": "SUCCEEDED"},
            "tiny 1.1.0 on a: FAILED: golden_mismatch: they differ by 3",
        ),
        ({"a": "TIMED_OUT"}, "TIMED_OUT: the edge took the job and said no more"),
        ({"a": "CANCELED"}, "CANCELED: the rollout was cancelled, or stopped itself"),
        (
            {"a": "CANCELED", "b": ("FAILED", "too_slow", ""), "c": "CANCELED"},
            "on b: FAILED, as on 2 other edges: too_slow",
        ),
        ({"a": "REJECTED"}, "REJECTED: the edge refused it"),
        ({"a": "REMOVED"}, "REMOVED: the edge left the fleet"),
    ],
)
def test_a_rollout_that_failed_says_why(
    executions: dict[str, Any], says: str, waiting: Waiting
) -> None:
    with pytest.raises(GustbedError) as ended:
        waiting.run(job(**executions))
    assert says in str(ended.value)
    assert waiting.now == 0.0


def test_a_fleet_without_edges_is_named_at_once(waiting: Waiting) -> None:
    waiting.edges = []
    with pytest.raises(GustbedError, match=r"no edge is enrolled: an edge gets it when"):
        waiting.run(job())
    waiting.edges = ["edge-1"]
    with pytest.raises(GustbedError, match="no edge is enrolled"):
        waiting.run(job("COMPLETED"))
    assert waiting.now == 0.0


def test_an_approval_that_becomes_no_job_ends_the_wait(waiting: Waiting) -> None:
    with pytest.raises(GustbedError, match=r"no rollout of it after .*log of function packager"):
        waiting.run(None)
    assert waiting.now == pytest.approx(JOB_WITHIN, abs=2)


@pytest.mark.parametrize(
    ("executions", "says"),
    [
        ({"a": "QUEUED", "b": "SUCCEEDED"}, "not on every edge after 30 s: a did not take it"),
        ({"a": "IN_PROGRESS"}, "a took it and installs it still"),
        (dict.fromkeys("abcde", "QUEUED"), "a, b, c and 2 more did not take it"),
    ],
)
def test_edges_that_do_not_answer_are_named_when_time_is_up(
    executions: dict[str, Any], says: str, waiting: Waiting
) -> None:
    with pytest.raises(GustbedError) as ended:
        waiting.run(job(**executions), within=30.0)
    assert says in str(ended.value)
    assert waiting.now == pytest.approx(30, abs=2)
