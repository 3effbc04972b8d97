"""What a change set says, in a person's words, and that nothing of it is left behind."""

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gustbed_cloud import changes
from gustbed_cloud.changes import HOLDS, Change, preview, read_change
from gustbed_cloud.deploy import CONTENT_TAG, Plan, StackError
from gustbed_core.errors import GustbedError
from tests.support.aws_contract import modelled
from tests.support.aws_rights import rendered

PLAN = Plan("gustbed", "{}", {"LogRetentionDays": "60"}, ())
NOTHING = "The submitted information didn't contain changes. Submit different information."


def row(action: str, replacement: str | None = None, *parts: str, **more: Any) -> dict[str, Any]:
    details = [{"Target": {"Attribute": "Properties", "Name": part}} for part in parts]
    kept = {"Replacement": replacement} if replacement else {}
    named = {"LogicalResourceId": "LakeBucket", "ResourceType": "AWS::S3::Bucket"}
    return {"Action": action, **named, "Details": details, **kept, **more}


@pytest.mark.parametrize(
    ("told", "effect", "parts", "loses"),
    [
        (row("Add"), "add", (), ""),
        (row("Remove"), "remove", (), "objects"),
        (row("Modify", "False", "BucketEncryption"), "change", ("BucketEncryption",), ""),
        (row("Modify", "True", "BucketName"), "replace", ("BucketName",), "objects"),
        (row("Modify", "Conditional", "A", "B"), "may be replaced", ("A", "B"), "objects"),
        (row("Modify", "False", Scope=["Tags"]), "change", ("tags",), ""),
        (row("Modify", "False", "X", Scope=["Properties", "Tags"]), "change", ("X", "tags"), ""),
        (row("Remove", ResourceType="AWS::CloudWatch::Alarm"), "remove", (), ""),
    ],
)
def test_change_is_told_in_words_with_what_is_lost(
    told: dict[str, Any], effect: str, parts: tuple[str, ...], loses: str
) -> None:
    change = read_change(told)
    assert (change.effect, change.parts, change.loses) == (effect, parts, loses)


def test_stacks_own_tag_alone_is_no_change_of_a_resource() -> None:
    assert read_change(row("Modify", "False", Scope=["Tags"])).only_tags
    assert not read_change(row("Modify", "False", "X", Scope=["Properties", "Tags"])).only_tags


def test_every_kind_that_holds_something_is_known() -> None:
    kinds = {each["Type"] for each in rendered().template["Resources"].values()}
    assert set(HOLDS) <= kinds
    # What a person would miss none of: it holds nothing that a deployment does not make again.
    harmless = {"Alarm", "Dashboard", "Rule", "Role", "TopicRule", "ThingType", "Alias", "Function",
                "EventSourceMapping", "Permission", "LogStream", "Subscription"}  # fmt: skip
    assert {kind.rpartition(":")[2] for kind in kinds - set(HOLDS)} == harmless


@modelled("cloudformation")
class Formation:
    """A stack, and the change sets made of it."""

    exceptions = SimpleNamespace(ClientError=ClientError)

    def __init__(self, status: str | None, answer: dict[str, Any], rows: list[Any]) -> None:
        self.status = status
        self.answer = answer
        self.rows = rows
        self.sets: list[str] = []
        self.kinds: list[str] = []
        self.tags: list[dict[str, str]] = []

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        if self.status is None:
            error = {"Error": {"Code": "ValidationError", "Message": "Stack does not exist"}}
            raise ClientError(error, "DescribeStacks")
        return {"Stacks": [{"StackName": StackName, "StackStatus": self.status, "Tags": self.tags}]}

    def create_change_set(self, **request: Any) -> None:
        self.sets.append(request["ChangeSetName"])
        self.kinds.append(request["ChangeSetType"])
        self.status = self.status or "REVIEW_IN_PROGRESS"

    def describe_change_set(self, StackName: str, ChangeSetName: str) -> dict[str, Any]:  # noqa: N803
        assert ChangeSetName in self.sets
        return self.answer

    def delete_change_set(self, StackName: str, ChangeSetName: str) -> None:  # noqa: N803
        self.sets.remove(ChangeSetName)

    def delete_stack(self, StackName: str) -> None:  # noqa: N803
        assert self.status == "REVIEW_IN_PROGRESS"
        self.status = None

    def get_paginator(self, name: str) -> Any:
        halves = [self.rows[:1], self.rows[1:]]
        pages = {
            "describe_stacks": [{"Stacks": []}],
            "describe_change_set": [
                {"Changes": [{"ResourceChange": each} for each in half]} for half in halves
            ],
        }
        return SimpleNamespace(paginate=lambda **_: pages[name])


def look(formation: Formation) -> list[Change]:
    session: Any = SimpleNamespace(client=lambda _: formation, region_name="eu-central-1")
    return preview(session, PLAN)


COMPLETE = {"Status": "CREATE_COMPLETE"}


def test_changes_of_every_page_are_shown_and_the_change_set_is_gone() -> None:
    formation = Formation("UPDATE_COMPLETE", COMPLETE, [row("Add"), row("Remove")])
    assert [each.effect for each in look(formation)] == ["add", "remove"]
    assert (formation.sets, formation.kinds) == ([], ["UPDATE"])
    assert formation.status == "UPDATE_COMPLETE"


def test_look_at_a_stack_that_is_not_there_leaves_none() -> None:
    formation = Formation(None, COMPLETE, [row("Add")])
    assert [each.effect for each in look(formation)] == ["add"]
    assert (formation.sets, formation.kinds, formation.status) == ([], ["CREATE"], None)


def test_equal_content_is_no_change() -> None:
    formation = Formation("UPDATE_COMPLETE", {"Status": "FAILED", "StatusReason": NOTHING}, [])
    assert look(formation) == []
    formation.tags = [{"Key": CONTENT_TAG, "Value": PLAN.digest}]
    formation.kinds.clear()
    assert (look(formation), formation.kinds) == ([], [])


def test_template_that_cannot_be_deployed_says_why_and_leaves_nothing() -> None:
    answer = {"Status": "FAILED", "StatusReason": "Parameter LogRetentionDays must be one of 14"}
    formation = Formation("UPDATE_COMPLETE", answer, [])
    with pytest.raises(StackError, match="must be one of 14"):
        look(formation)
    assert formation.sets == []


def test_comparison_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "WITHIN", 0.0)
    formation = Formation("UPDATE_COMPLETE", {"Status": "CREATE_IN_PROGRESS"}, [])
    with pytest.raises(GustbedError, match="not compared"):
        look(formation)
    assert formation.sets == []


def test_stack_that_is_being_changed_is_not_looked_at() -> None:
    formation = Formation("UPDATE_IN_PROGRESS", COMPLETE, [])
    with pytest.raises(GustbedError, match="UPDATE_IN_PROGRESS: wait"):
        look(formation)
    assert formation.kinds == []


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "CREATE_FAILED"])
def test_failed_creation_cannot_be_compared_with(status: str) -> None:
    formation = Formation(status, COMPLETE, [])
    with pytest.raises(GustbedError, match=f"{status}.*gustbed deploy"):
        look(formation)
    assert formation.kinds == []
