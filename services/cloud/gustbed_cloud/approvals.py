"""Decide on registered versions: approve, put in shadow, promote, reject.

A decision is a record in the artifact bucket; an approval's arrival there starts its rollout. The
registry's status follows, for people and for SageMaker's console.
"""

import time
from email.utils import parsedate_to_datetime
from typing import Any

from gustbed_cloud.approval_store import add_approval, next_sequence, read_approvals
from gustbed_cloud.aws import readable_errors
from gustbed_cloud.client import Cloud
from gustbed_cloud.models import ApprovalStatus, ModelVersion, describe, find_model
from gustbed_core.approvals import SEQUENCE_PROPERTY, ApprovalRecord, Decision
from gustbed_core.errors import GustbedError
from gustbed_core.jobs import Role

_STATUS: dict[Decision, ApprovalStatus] = {"approved": "Approved", "rejected": "Rejected"}


def approve_model(
    cloud: Cloud, name: str, version: str, *, rollback: bool = False, shadow: bool = False
) -> ModelVersion:
    """Approve a version: it is packaged, signed and rolled out, each time anew.

    ``rollback`` says that it is meant to replace a newer one, ``shadow`` that it is to run beside
    the serving one. Raises ``GustbedError`` if the version is not registered, or has the other
    role.
    """
    if rollback and shadow:
        raise GustbedError("a shadow replaces no version", "ask for a rollback or for a shadow")
    known = find_model(cloud, name, version)
    if shadow and known.role == "serve":
        raise GustbedError(f"{name} {version} serves already", "put another version in shadow")
    if not shadow and known.role == "shadow":
        raise GustbedError(f"{name} {version} runs in shadow", "promote it to let it serve")
    role: Role = "shadow" if shadow else "serve"
    return _decide(cloud, known, "approved", role=role, rollback=rollback)


def promote_model(cloud: Cloud, name: str, version: str) -> ModelVersion:
    """Let a version serve that runs in shadow. Raises ``GustbedError`` if it does not."""
    known = find_model(cloud, name, version)
    if known.role != "shadow":
        raise GustbedError(
            f"{name} {version} is not in shadow ({known.status})", "approve it as a shadow first"
        )
    return _decide(cloud, known, "approved")


def reject_model(cloud: Cloud, name: str, version: str) -> ModelVersion:
    """Reject a version. A rollout that has begun goes on."""
    return _decide(cloud, find_model(cloud, name, version), "rejected")


@readable_errors()
def _decide(
    cloud: Cloud,
    known: ModelVersion,
    decision: Decision,
    *,
    role: Role = "serve",
    rollback: bool = False,
) -> ModelVersion:
    if decision == "approved" and not (known.gate.passed or known.gate.override):
        raise GustbedError(
            f"{known.name} {known.version} did not pass its quality gate, and nobody said why to "
            "take it",
            "register it under another version with --despite-gate REASON",
        )
    s3, bucket = cloud.client("s3"), cloud.outputs.artifact_bucket
    sagemaker = cloud.client("sagemaker")
    records = read_approvals(s3, bucket, known.name, cloud.approvals)
    caller = cloud.client("sts").get_caller_identity()
    record = ApprovalRecord(
        model=known.name,
        version=known.version,
        sequence=next_sequence(records),
        decision=decision,
        source="operator",
        by=caller["Arn"],
        at=_cloud_time(caller),
        sha256=known.sha256,
        gate=known.gate,
        role=role,
        rollback=rollback,
    )
    # Before the registry learns of it: what announces an approval there without a record of ours
    # was decided in the registry itself.
    record = add_approval(s3, bucket, record)
    described = sagemaker.describe_model_package(ModelPackageName=known.arn)
    properties = described.get("CustomerMetadataProperties") or {}
    sagemaker.update_model_package(
        ModelPackageArn=known.arn,
        ModelApprovalStatus=_STATUS[decision],
        ApprovalDescription=_note(record),
        CustomerMetadataProperties={**properties, SEQUENCE_PROPERTY: str(record.sequence)},
    )
    return describe(cloud, known.arn)


def _cloud_time(answer: dict[str, Any]) -> float:
    """When AWS answered, in Unix seconds: operators' clocks differ, and orders are numbered by it.

    By this machine's clock where the answer does not say.
    """
    try:
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return time.time()


def _note(record: ApprovalRecord) -> str:
    """What people read in the registry."""
    words = "rejected"
    if record.decision == "approved":
        words = "approved as a rollback" if record.rollback else f"approved to {record.role}"
        words = words.replace("to shadow", "as a shadow")
    gate = f", despite its quality gate: {record.gate.override}" if record.gate.override else ""
    return f"{words}{gate} (record {record.sequence})"
