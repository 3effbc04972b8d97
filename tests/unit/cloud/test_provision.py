"""Who deploys, and what becomes of a stack that fails: nobody tries in a loop."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gustbed_cloud import provision
from gustbed_cloud.deploy import Plan, StackError, deploy, make_plan
from gustbed_cloud.settings import CloudSettings, IotSettings
from gustbed_core.errors import GustbedError

FAILED = "ROLLBACK_COMPLETE"
REASON = "Resource handler returned message: bucket already exists"


class FakeCloudFormation:
    """A stack whose creation failed; remembers what is done to it."""

    exceptions = SimpleNamespace(ClientError=RuntimeError)

    def __init__(self) -> None:
        self.done: list[str] = []

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {"Stacks": [{"StackName": StackName, "StackStatus": FAILED}]}

    def get_paginator(self, name: str) -> Any:
        assert name == "describe_stack_events"
        rows = [
            ("ThingGroup", "CREATE_FAILED", "Resource creation cancelled"),
            ("LakeBucket", "CREATE_FAILED", REASON),
            ("ThingType", "CREATE_COMPLETE", None),
        ]
        # The first failure is the oldest, and may be on a later page than the newest events.
        pages = [
            {
                "StackEvents": [
                    {"LogicalResourceId": a, "ResourceStatus": b, "ResourceStatusReason": c}
                ]
            }
            for a, b, c in rows
        ]
        return SimpleNamespace(paginate=lambda **_: iter(pages))

    def __getattr__(self, name: str) -> Any:
        return lambda **_: self.done.append(name)


def session(cloudformation: Any) -> Any:
    sts = SimpleNamespace(get_caller_identity=lambda: {"Account": "123456789012"})
    services = {"cloudformation": cloudformation, "sts": sts}
    return SimpleNamespace(client=services.__getitem__, region_name="eu-central-1")


def test_failed_stack_is_left_alone_and_its_first_failure_named() -> None:
    cloudformation = FakeCloudFormation()
    said: list[str] = []
    for _ in range(5):
        with pytest.raises(StackError) as failed:
            deploy(
                session(cloudformation),
                Plan("gustbed", "{}", {}, ()),
                clear_away=False,
                report=said.append,
            )
    assert str(failed.value) == (
        f"stack gustbed is {FAILED}: LakeBucket: {REASON}: "
        "mend that, then deploy: `gustbed deploy` clears the failed stack away"
    )
    assert (cloudformation.done, said) == ([], [])


class Ticks(threading.Event):
    """Time that passes at once, and is told."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.waited: list[float] = []
        self._turns = turns

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        if len(self.waited) == self._turns:
            self.set()
        return self.is_set()


def provisioner(tmp_path: Path, said: list[str], **settings: Any) -> provision.Provisioner:
    return provision.Provisioner(
        open_session=lambda: session(FakeCloudFormation()),
        settings=CloudSettings(enrol_dir=tmp_path, **settings),
        iot=IotSettings(),
        site_thing="gustbed-site-1",
        sagemaker_endpoint="",
        types_dir=None,
        report=said.append,
    )


def test_watching_tries_a_failing_stack_ever_more_seldom_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fail(*_: Any, **__: Any) -> None:
        tried.append(1)
        raise StackError("stack gustbed is ROLLBACK_COMPLETE", REASON)

    monkeypatch.setattr(provision, "deploy", fail)
    said: list[str] = []
    ticks = Ticks(12)
    provisioner(tmp_path, said, deploy=True).watch(ticks, 3.0)
    assert len(tried) == 12
    assert ticks.waited[:4] == [6.0, 12.0, 24.0, 48.0]
    assert ticks.waited[-1] == provision.LONGEST_PAUSE
    assert said == [f"stack gustbed is ROLLBACK_COMPLETE: {REASON}"]


def test_watching_leaves_its_problem_for_a_health_check_and_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([GustbedError("stack gustbed", "not deployed yet"), None])
    told: list[str] = []
    problem = tmp_path / "problem"

    class Reading(Ticks):
        def wait(self, timeout: float | None = None) -> bool:
            told.append(problem.read_text())
            return super().wait(timeout)

    def outputs(*_: Any) -> Any:
        answer = next(answers)
        if answer is not None:
            raise answer

    monkeypatch.setattr(provision, "stack_outputs", outputs)
    provisioner(tmp_path, [], problem_file=problem).watch(Reading(2), 3.0)
    assert told == ["stack gustbed: not deployed yet", ""]


def test_site_deploys_nothing_unless_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: Any, **__: Any) -> None:
        raise AssertionError("deployed")

    monkeypatch.setattr(provision, "deploy", nobody)
    monkeypatch.setattr(provision, "destroy", nobody)
    with pytest.raises(GustbedError, match="gustbed deploy"):
        provisioner(tmp_path, []).converge()
    assert CloudSettings.model_fields["deploy"].default is False


def test_parameters_that_a_person_chooses_reach_the_stack() -> None:
    chosen = CloudSettings(stack_parameters="AlertEmail=ops@example.org, LogRetentionDays=60")
    folder = Path(provision.__file__).parent
    plan = make_plan(session(None), "gustbed", folder, chosen=chosen.parameters())
    assert plan.parameters["AlertEmail"] == "ops@example.org"
    assert plan.parameters["LogRetentionDays"] == "60"


@pytest.mark.parametrize("text", ["AlertEmail", "=x", "Alert Email=x"])
def test_parameters_that_cannot_be_read_are_named(text: str) -> None:
    with pytest.raises(GustbedError, match="GUSTBED_STACK_PARAMETERS"):
        CloudSettings(stack_parameters=text).parameters()


def test_parameter_that_deployment_sets_is_nobodys_choice() -> None:
    folder = Path(provision.__file__).parent
    with pytest.raises(GustbedError, match="CodeBucket"):
        make_plan(session(None), "gustbed", folder, chosen={"CodeBucket": "mine"})
