"""The model registry read: a SageMaker model package group per model name.

The registry knows which versions there are and their status. What a version is, is in its
registration, and what was decided about it in its approvals; both lie in the artifact bucket.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

from gustbed_cloud.approval_store import read_approvals
from gustbed_cloud.aws import error_code, readable_errors
from gustbed_cloud.client import Cloud
from gustbed_core.approvals import (
    SEQUENCE_PROPERTY,
    ApprovalRecord,
    decided_elsewhere,
    earlier_approval,
    of_version,
)
from gustbed_core.errors import GustbedError
from gustbed_core.jobs import Role
from gustbed_core.package import version_key
from gustbed_core.registrations import (
    GateResult,
    Registration,
    earlier_registration,
    package_place,
    registration_from_json,
    registration_key,
)

ApprovalStatus = Literal["PendingManualApproval", "Approved", "Rejected"]
"""SageMaker's."""


@dataclass(frozen=True)
class ModelVersion:
    """A registered version. ``created`` and ``changed`` are Unix seconds.

    ``role`` is what an approved version is for, None for any other; ``approval`` is the latest
    record about it. ``unrecorded``: the registry's status was set there and is in no record yet.
    ``sha256`` is the package's digest, empty if it is not known.
    """

    name: str
    version: str
    status: ApprovalStatus
    created: float
    changed: float | None
    url: str
    arn: str
    role: Role | None = None
    rollback: bool = False
    approval: ApprovalRecord | None = None
    unrecorded: bool = False
    sha256: str = ""
    turbine_type: str = ""
    detector: str = ""
    gate: GateResult = field(default_factory=lambda: GateResult(passed=True))
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def order(self) -> tuple[int, float]:
        """In which order versions were decided on: those without a record are older."""
        return self.approval.sequence if self.approval else 0, self.changed or self.created


@readable_errors()
def list_models(cloud: Cloud, name: str | None = None) -> list[ModelVersion]:
    """Every registered version, or those of one model; newest version first."""
    records = _records(cloud, name or "")
    found = [_version(cloud, arn, records) for arn in _arns(cloud, name)]
    by_version = sorted(found, key=lambda model: version_key(model.version), reverse=True)
    return sorted(by_version, key=lambda model: model.name)


def find_model(cloud: Cloud, name: str, version: str) -> ModelVersion:
    """Return one version. Raises ``GustbedError`` if it is not registered."""
    for model in list_models(cloud, name):
        if model.version == version:
            return model
    raise GustbedError(f"model {name} {version}: not registered", "see `gustbed model list`")


def serving_model(models: list[ModelVersion]) -> ModelVersion | None:
    """Of one model's versions, the one that edges end with: they take newer ones, and rollbacks."""
    serving: ModelVersion | None = None
    approved = [model for model in models if model.role == "serve"]
    for model in sorted(approved, key=lambda model: model.order):
        newer = serving is None or version_key(model.version) > version_key(serving.version)
        if newer or model.rollback:
            serving = model
    return serving


def describe(cloud: Cloud, arn: str) -> ModelVersion:
    """Read one version. Raises ``GustbedError`` if it is none of ours."""
    return _version(cloud, arn, None)


def _version(cloud: Cloud, arn: str, records: Sequence[ApprovalRecord] | None) -> ModelVersion:
    found = cloud.client("sagemaker").describe_model_package(ModelPackageName=arn)
    url = found["InferenceSpecification"]["Containers"][0].get("ModelDataUrl", "")
    try:
        _, name, version = package_place(url)
    except ValueError as error:
        raise GustbedError(f"{arn}: {error}", "delete it from the registry") from error
    own = of_version(_records(cloud, name) if records is None else records, name, version)
    status = cast(ApprovalStatus, found.get("ModelApprovalStatus", "PendingManualApproval"))
    pointer = int((found.get("CustomerMetadataProperties") or {}).get(SEQUENCE_PROPERTY, "0"))
    role, rollback = _purpose(status, pointer, found.get("ApprovalDescription") or "", own)
    registered = _registration(cloud, name, version, found)
    changed = found.get("LastModifiedTime")
    return ModelVersion(
        name=name,
        version=version,
        status=status,
        created=_unix(found["CreationTime"]),
        changed=_unix(changed) if changed else None,
        url=url,
        arn=arn,
        role=role,
        rollback=rollback,
        approval=own[-1] if own else None,
        unrecorded=decided_elsewhere(status, pointer, own) is not None,
        sha256=registered.sha256,
        turbine_type=registered.turbine_type,
        detector=registered.detector,
        gate=registered.gate,
        metrics=registered.metrics,
    )


def _purpose(
    status: ApprovalStatus, pointer: int, note: str, records: Sequence[ApprovalRecord]
) -> tuple[Role | None, bool]:
    """Role and rollback of a version."""
    if status != "Approved":
        return None, False
    if records:
        latest = records[-1]
        # Approved after a rejection: in the registry itself, which always means to serve.
        return (latest.role, latest.rollback) if latest.decision == "approved" else ("serve", False)
    # With a number but no record, the records were lost; without, Gustbed 0.1 or the registry.
    return (None, False) if pointer else earlier_approval(note)


def _records(cloud: Cloud, model: str) -> list[ApprovalRecord]:
    bucket = cloud.outputs.artifact_bucket
    return read_approvals(cloud.client("s3"), bucket, model, cloud.approvals)


def _registration(cloud: Cloud, name: str, version: str, described: dict[str, Any]) -> Registration:
    key = registration_key(name, version)
    if key not in cloud.registrations:
        s3 = cloud.client("s3")
        try:
            answer = s3.get_object(Bucket=cloud.outputs.artifact_bucket, Key=key)
        except s3.exceptions.ClientError as error:
            if error_code(error) != "NoSuchKey":
                raise
            return earlier_registration(name, version, described)
        cloud.registrations[key] = registration_from_json(answer["Body"].read(), key)
    return cloud.registrations[key]


def _arns(cloud: Cloud, name: str | None) -> Iterator[str]:
    sagemaker = cloud.client("sagemaker")
    prefix = cloud.outputs.model_package_group_prefix
    pages = sagemaker.get_paginator("list_model_package_groups").paginate(NameContains=prefix)
    for page in pages:
        for row in page["ModelPackageGroupSummaryList"]:
            group = row["ModelPackageGroupName"]
            if group == f"{prefix}{name}" or (name is None and group.startswith(prefix)):
                versions = sagemaker.get_paginator("list_model_packages")
                for listed in versions.paginate(ModelPackageGroupName=group):
                    for summary in listed["ModelPackageSummaryList"]:
                        yield summary["ModelPackageArn"]


def _unix(moment: datetime) -> float:
    return moment.timestamp()
