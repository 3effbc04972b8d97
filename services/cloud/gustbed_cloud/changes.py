"""What a deployment would change, asked of CloudFormation before anything is: a change set.

The change set is deleted again. A deployment sends the same template and parameters, so that
provisioners and people deploy in one way (docs/decisions/0035-shown-before-it-is-done.md).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from gustbed_cloud.aws import Session, readable_errors
from gustbed_cloud.deploy import (
    DEAD,
    IN_REVIEW,
    Plan,
    StackError,
    is_deployed,
    refuse_neighbours,
)
from gustbed_cloud.outputs import describe
from gustbed_core.errors import GustbedError

HOLDS = {
    "AWS::IoT::Policy": "certificates' rights",
    "AWS::IoT::ThingGroup": "the fleet's membership",
    "AWS::KMS::Key": "a key",
    "AWS::KinesisFirehose::DeliveryStream": "captures on their way",
    "AWS::Logs::LogGroup": "logs",
    "AWS::S3::Bucket": "objects",
    "AWS::SNS::Topic": "subscriptions",
    "AWS::SQS::Queue": "messages",
}
"""By type, what goes with a resource that is removed or made anew."""
WITHIN = 300.0
"""Seconds that CloudFormation gets to compare."""
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")

Effect = Literal["add", "change", "may be replaced", "replace", "remove"]


class NothingToCompareError(GustbedError):
    """The stack's creation failed: a deployment makes all anew."""


@dataclass(frozen=True)
class Change:
    """What would become of one resource.

    ``parts`` are the properties that change, or ``tags`` if these alone do. ``loses`` is what goes
    with the resource, empty if nothing.
    """

    resource: str
    kind: str
    effect: Effect
    parts: tuple[str, ...] = ()

    @property
    def loses(self) -> str:
        """What is lost for good."""
        gone = self.effect in ("replace", "may be replaced", "remove")
        return HOLDS.get(self.kind, "") if gone else ""

    @property
    def only_tags(self) -> bool:
        """Whether the resource itself stays as it is."""
        return self.effect == "change" and self.parts == ("tags",)


@readable_errors()
def preview(session: Session, plan: Plan) -> list[Change]:
    """What deploying the plan would change; nothing is changed. Raises ``GustbedError``."""
    cloudformation = session.client("cloudformation")
    described = describe(cloudformation, plan.stack)
    status = described["StackStatus"] if described else ""
    if status.endswith("_IN_PROGRESS") and status != IN_REVIEW:
        raise GustbedError(f"stack {plan.stack} is {status}", "wait until that is done")
    if status in DEAD:
        raise NothingToCompareError(
            f"stack {plan.stack} is {status}: there is nothing to compare with",
            "`gustbed deploy` clears it away and makes all anew",
        )
    if described is not None and is_deployed(described, plan):
        return []
    if described is None:
        refuse_neighbours(cloudformation, plan.stack)
    with _change_set(cloudformation, plan, new=described is None or status == IN_REVIEW) as name:
        if not _compared(cloudformation, plan.stack, name):
            return []
        pages = cloudformation.get_paginator("describe_change_set").paginate(
            StackName=plan.stack, ChangeSetName=name
        )
        rows = [row["ResourceChange"] for page in pages for row in page["Changes"]]
    return [read_change(row) for row in rows]


def read_change(row: dict[str, Any]) -> Change:
    """CloudFormation's word on one resource."""
    action, replacement = row["Action"], row.get("Replacement", "False")
    effect: Effect = "change"
    if action in ("Add", "Import"):
        effect = "add"
    elif action == "Remove":
        effect = "remove"
    elif replacement == "True":
        effect = "replace"
    elif replacement == "Conditional":
        effect = "may be replaced"
    return Change(row["LogicalResourceId"], row["ResourceType"], effect, _parts(row))


def _parts(row: dict[str, Any]) -> tuple[str, ...]:
    if row["Action"] != "Modify":
        return ()
    targets = [detail.get("Target", {}) for detail in row.get("Details", [])]
    names = {
        target.get("Name") or target.get("Attribute", "").lower() for target in targets if target
    }
    names |= {scope.lower() for scope in row.get("Scope", []) if scope != "Properties"}
    # A stack's tag is everything's tag: it changes with every deployment.
    return tuple(sorted("tags" if name == "Tags" else name for name in names - {""}))


@contextmanager
def _change_set(cloudformation: Any, plan: Plan, *, new: bool) -> Iterator[str]:
    """A change set that is gone afterwards, and with it a stack that it has brought into being."""
    name = f"gustbed-{plan.digest[:12]}-{time.time_ns()}"
    cloudformation.create_change_set(
        **plan.request(), ChangeSetName=name, ChangeSetType="CREATE" if new else "UPDATE"
    )
    try:
        yield name
    finally:
        cloudformation.delete_change_set(StackName=plan.stack, ChangeSetName=name)
        described = describe(cloudformation, plan.stack) if new else None
        if described is not None and described["StackStatus"] == IN_REVIEW:
            cloudformation.delete_stack(StackName=plan.stack)


def _compared(cloudformation: Any, stack: str, name: str) -> bool:
    """Wait for the comparison; whether there are changes. Raises ``StackError``."""
    deadline, pause = time.monotonic() + WITHIN, 0.2
    while time.monotonic() < deadline:
        found = cloudformation.describe_change_set(StackName=stack, ChangeSetName=name)
        if found["Status"] == "CREATE_COMPLETE":
            return True
        reason = str(found.get("StatusReason", ""))
        if found["Status"] == "FAILED":
            if any(words in reason for words in _NO_CHANGES):
                return False
            raise StackError(f"stack {stack}: it cannot be deployed", reason or "no reason given")
        time.sleep(pause)
        pause = min(pause * 1.5, 5.0)
    raise GustbedError(f"stack {stack}", f"not compared after {WITHIN:.0f} s: try again")
