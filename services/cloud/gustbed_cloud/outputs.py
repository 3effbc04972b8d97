"""What the deployed stack is called on the outside."""

from dataclasses import dataclass, fields
from typing import Any

from gustbed_cloud.aws import Session, readable_errors
from gustbed_core.errors import GustbedError


@dataclass(frozen=True)
class Outputs:
    """The stack's outputs."""

    stack_name: str
    artifact_bucket: str
    lake_bucket: str
    lake_prefix: str
    thing_group_name: str
    thing_type_name: str
    policy_name: str
    device_policy_name: str
    signing_key_id: str
    trusted_key_ids: str
    log_group_name: str
    alert_topic_arn: str
    ingest_queue_url: str
    lake_queue_url: str
    alert_queue_url: str
    dead_letter_queue_url: str
    dashboard_name: str
    model_package_group_prefix: str
    model_packager_name: str


@readable_errors()
def stack_outputs(session: Session, stack: str) -> Outputs:
    """Read the outputs. Raises ``GustbedError`` if the stack is not deployed."""
    described = describe(session.client("cloudformation"), stack)
    if described is None:
        raise GustbedError(
            f"stack {stack}", "not deployed: `gustbed deploy` does it, once for all sites"
        )
    return from_description(described)


def describe(cloudformation: Any, stack: str) -> dict[str, Any] | None:
    """Return CloudFormation's description of the stack, or None if there is none."""
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return dict(found[0]) if found else None


def from_description(described: dict[str, Any]) -> Outputs:
    """Pick the outputs. Raises ``GustbedError`` naming one that is missing."""
    values = {row["OutputKey"]: row["OutputValue"] for row in described.get("Outputs", [])}
    wanted = {field.name: _camel(field.name) for field in fields(Outputs)}
    missing = sorted(set(wanted.values()) - values.keys())
    if missing:
        name, status = described.get("StackName"), described.get("StackStatus")
        raise GustbedError(
            f"stack {name} ({status}) has no output {missing[0]}",
            "wait until it is deployed, or run `gustbed deploy`",
        )
    return Outputs(**{name: values[key] for name, key in wanted.items()})


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
