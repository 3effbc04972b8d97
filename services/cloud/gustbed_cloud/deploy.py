"""Deploy the stack: one command, and nothing happens when nothing has changed."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gustbed_cloud.aws import Session, error_code, readable_errors
from gustbed_cloud.bundle import FUNCTIONS, Bundle, bundle
from gustbed_cloud.dashboard import dashboard_choices
from gustbed_cloud.outputs import Outputs, describe, from_description
from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import load_types

Report = Callable[[str], None]
CONTENT_TAG = "gustbed-content"
"""The stack's tag that holds the digest of everything deployed."""
TIMEOUT = 20 * 60.0
MAX_TEMPLATE_BYTES, MAX_PARAMETER_BYTES = 51_200, 4096
"""What CloudFormation takes of a template in a request, and of a parameter's value."""
DEAD = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
"""States out of which CloudFormation lets a stack only be deleted."""
_GOOD = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
IN_REVIEW = "REVIEW_IN_PROGRESS"
"""Of a stack that is nothing but a change set: made to look at what a creation would do."""


class StackError(GustbedError):
    """The stack itself failed: trying again at once would fail again."""


@dataclass(frozen=True)
class Plan:
    """What should be deployed."""

    stack: str
    template: str
    parameters: dict[str, str]
    bundles: tuple[Bundle, ...]

    @property
    def digest(self) -> str:
        """The same for the same template, parameters and code."""
        content = json.dumps([self.template, self.parameters], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def request(self) -> dict[str, Any]:
        """What CloudFormation is asked."""
        return {
            "StackName": self.stack,
            "TemplateBody": self.template,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in self.parameters.items()
            ],
            "Capabilities": ["CAPABILITY_IAM"],
            "Tags": [{"Key": CONTENT_TAG, "Value": self.digest}],
        }


@dataclass(frozen=True)
class Deployed:
    """The stack as it is now, and whether that took any change."""

    outputs: Outputs
    changed: bool


@readable_errors()
def deploy(
    session: Session, plan: Plan, *, clear_away: bool = True, report: Report = print
) -> Deployed:
    """Create or update the stack and wait for it. Raises ``StackError`` with AWS's reason.

    ``clear_away``: delete what a creation that failed has left; else that is a ``StackError``.
    """
    stack = plan.stack
    cloudformation = session.client("cloudformation")
    described = settle(cloudformation, stack, report, clear_away=clear_away)
    if described is not None and is_deployed(described, plan):
        return Deployed(from_description(described), changed=False)
    if described is None:
        refuse_neighbours(cloudformation, stack)
    upload(session, plan, report)
    reported = {event["EventId"] for event in events(cloudformation, stack)}
    if described is None:
        report(f"stack {stack}: creating")
        cloudformation.create_stack(**plan.request())
    else:
        report(f"stack {stack}: updating")
        try:
            cloudformation.update_stack(**plan.request())
        except cloudformation.exceptions.ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
            return Deployed(from_description(described), changed=False)
    described = wait(cloudformation, stack, report, reported)
    if described is None or described["StackStatus"] not in _GOOD:
        status = described["StackStatus"] if described else "gone"
        raise StackError(f"stack {stack} is {status}", first_failure(cloudformation, stack))
    report(f"stack {stack}: deployed")
    return Deployed(from_description(described), changed=True)


@readable_errors()
def make_plan(
    session: Session,
    stack: str,
    cloud_dir: Path,
    *,
    sagemaker_endpoint: str = "",
    types_dir: Path | None = None,
    chosen: Mapping[str, str] | None = None,
) -> Plan:
    """Read template, functions and turbine types (``types_dir``: the user's own).

    ``chosen``: the template's parameters that a person sets. Raises ``GustbedError`` naming a file
    that is missing or wrong, or a parameter that is not a person's to set.
    """
    path = cloud_dir / "stack.yaml"
    try:
        template = path.read_text(encoding="utf-8")
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "set GUSTBED_CLOUD_DIR") from error
    bundles = tuple(bundle(name, cloud_dir) for name in FUNCTIONS)
    account = session.client("sts").get_caller_identity()["Account"]
    parameters = {
        "CodeBucket": code_bucket(stack, account, session.region_name),
        "SageMakerEndpoint": sagemaker_endpoint,
        **dashboard_choices(load_types(types_dir).values()),
        **{item.parameter: item.key for item in bundles},
    }
    for name in chosen or {}:
        if name in parameters:
            raise GustbedError(f"GUSTBED_STACK_PARAMETERS: {name}", "the deployment itself sets it")
    plan = Plan(stack, template, {**parameters, **(chosen or {})}, bundles)
    _refuse_oversized(plan, path)
    return plan


def _refuse_oversized(plan: Plan, path: Path) -> None:
    size = len(plan.template.encode())
    if size > MAX_TEMPLATE_BYTES:
        raise GustbedError(
            f"{path}: {size} bytes", f"CloudFormation takes {MAX_TEMPLATE_BYTES}: shorten it"
        )
    for name, value in plan.parameters.items():
        if len(value.encode()) > MAX_PARAMETER_BYTES:
            raise GustbedError(
                f"stack parameter {name}: {len(value.encode())} bytes",
                f"CloudFormation takes {MAX_PARAMETER_BYTES}",
            )


def refuse_neighbours(cloudformation: Any, stack: str) -> None:
    """Two fleets of one account and region may not have names of which one begins the other.

    What a stack names begins with its name and a hyphen: it would take the other's models for its
    own. Raises ``GustbedError``.
    """
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for other in page["Stacks"]:
            first, second = sorted((stack, str(other["StackName"])), key=len)
            ours = any(tag["Key"] == CONTENT_TAG for tag in other.get("Tags", []))
            if ours and second.startswith(f"{first}-"):
                raise GustbedError(
                    f"stack {stack}: there is a stack {other['StackName']}, and one name may not "
                    "begin the other",
                    "set GUSTBED_STACK to another name",
                )


def code_bucket(stack: str, account: str, region: str) -> str:
    """Name of the bucket that must exist before the stack."""
    return f"{stack}-code-{account}-{region}"


def is_deployed(described: dict[str, Any], plan: Plan) -> bool:
    """Whether exactly this plan is what was last deployed, with success."""
    tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
    return described["StackStatus"] in _GOOD and tags.get(CONTENT_TAG) == plan.digest


def upload(session: Session, plan: Plan, report: Report) -> None:
    """Put the functions' archives where CloudFormation finds them."""
    s3 = session.client("s3")
    bucket = plan.parameters["CodeBucket"]
    ensure_bucket(s3, bucket, session.region_name)
    present = {
        row["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for row in page.get("Contents", [])
    }
    for item in plan.bundles:
        if item.key not in present:
            report(f"function {item.function}: uploading")
            s3.put_object(Bucket=bucket, Key=item.key, Body=item.data)


def ensure_bucket(s3: Any, bucket: str, region: str) -> None:
    """Create a private bucket unless we own it already."""
    place = {} if region == "us-east-1" else {"LocationConstraint": region}
    try:
        s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": place} if place else {}))
    except s3.exceptions.BucketAlreadyOwnedByYou:
        return
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
    )


def settle(
    cloudformation: Any, stack: str, report: Report, *, clear_away: bool = True
) -> dict[str, Any] | None:
    """Wait out a running operation, and clear away a creation that failed, or say why it did."""
    described = describe(cloudformation, stack)
    if described is not None and described["StackStatus"] == IN_REVIEW:
        # Somebody's look at it, in the console say, that was not taken back. It holds nothing.
        report(f"stack {stack}: deleting what was only reviewed")
        cloudformation.delete_stack(StackName=stack)
        described = wait(cloudformation, stack, report)
    if described is not None and described["StackStatus"].endswith("_IN_PROGRESS"):
        report(f"stack {stack}: waiting for {described['StackStatus']}")
        described = wait(cloudformation, stack, report)
    if described is not None and described["StackStatus"] in DEAD:
        if not clear_away:
            reason = first_failure(cloudformation, stack)
            raise StackError(
                f"stack {stack} is {described['StackStatus']}: {reason}",
                "mend that, then deploy: `gustbed deploy` clears the failed stack away",
            )
        report(f"stack {stack}: deleting what {described['StackStatus']} left")
        cloudformation.delete_stack(StackName=stack)
        described = wait(cloudformation, stack, report)
        if described is not None:
            raise StackError(
                f"stack {stack} is {described['StackStatus']}",
                first_failure(cloudformation, stack) or "delete it by hand",
            )
    return described


def wait(
    cloudformation: Any, stack: str, report: Report, reported: set[str] | None = None
) -> dict[str, Any] | None:
    """Wait for the running operation, reporting what is done. Returns None once it is deleted."""
    if reported is None:
        reported = {event["EventId"] for event in events(cloudformation, stack)}
    deadline = time.monotonic() + TIMEOUT
    pause = 0.1
    while time.monotonic() < deadline:
        described = describe(cloudformation, stack)
        for event in reversed(list(events(cloudformation, stack))):
            if event["EventId"] not in reported:
                reported.add(event["EventId"])
                _report_event(event, report)
        if described is None or described["StackStatus"] == "DELETE_COMPLETE":
            return None
        if not described["StackStatus"].endswith("_IN_PROGRESS"):
            return described
        time.sleep(pause)
        pause = min(pause * 1.5, 5.0)
    raise GustbedError(f"stack {stack}", f"not done after {TIMEOUT / 60:.0f} minutes")


def _report_event(event: dict[str, Any], report: Report) -> None:
    status = event.get("ResourceStatus", "")
    if status.endswith(("_COMPLETE", "_FAILED")):
        reason = event.get("ResourceStatusReason")
        report(f"  {event['LogicalResourceId']}: {status}{f' ({reason})' if reason else ''}")


def events(cloudformation: Any, stack: str) -> Iterator[dict[str, Any]]:
    """Yield the stack's latest events, newest first; none if it is gone."""
    try:
        yield from cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    except cloudformation.exceptions.ClientError as error:
        if error_code(error) != "ValidationError":
            raise


def first_failure(cloudformation: Any, stack: str) -> str:
    """Return why the latest operation failed: its first failed resource."""
    reason = ""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    for event in (event for page in pages for event in page["StackEvents"]):
        if event.get("ResourceStatus", "").endswith("_FAILED"):
            why = event.get("ResourceStatusReason", "no reason given")
            if "cancelled" not in why.lower():
                reason = f"{event['LogicalResourceId']}: {why}"
    return reason
