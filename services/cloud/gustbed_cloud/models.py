"""The model registry: a SageMaker model package group per model name.

The name and version of a registered package are in its key in the artifact bucket, because the
registry counts versions of its own and the local one keeps no metadata.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

from botocore.exceptions import ClientError

from gustbed_cloud.aws import error_code, readable_errors
from gustbed_cloud.client import Cloud
from gustbed_protocol.errors import GustbedError
from gustbed_protocol.jobs import PACKAGE_FILE
from gustbed_protocol.package import read_package, version_key

Approval = Literal["PendingManualApproval", "Approved", "Rejected"]
ROLLBACK = "rollback"
"""First word of an approval that may install over a newer version."""
_KEY = re.compile(r"s3://[^/]+/models/([^/]+)/([^/]+)/[^/]+")


@dataclass(frozen=True)
class ModelVersion:
    """A registered version. ``created`` and ``changed`` are Unix seconds."""

    name: str
    version: str
    status: Approval
    created: float
    changed: float | None
    note: str
    url: str
    arn: str


@readable_errors()
def register_model(cloud: Cloud, package_path: Path) -> ModelVersion:
    """Upload a package and register it, pending approval.

    Raises ``PackageError`` for a bad package, ``GustbedError`` if the version is registered.
    """
    try:
        data = package_path.read_bytes()
    except OSError as error:
        raise GustbedError(f"{package_path}: {error.strerror}", "name a model package") from error
    manifest = read_package(data).manifest
    if any(known.version == manifest.version for known in list_models(cloud, manifest.name)):
        raise GustbedError(
            f"{package_path}: {manifest.name} {manifest.version} is registered already",
            "raise the version",
        )
    bucket = cloud.outputs.artifact_bucket
    key = f"models/{manifest.name}/{manifest.version}/{PACKAGE_FILE}"
    cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=data)
    sagemaker = cloud.client("sagemaker")
    group = cloud.outputs.model_package_group_prefix + manifest.name
    _ensure_group(sagemaker, group, manifest.name)
    made = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelPackageDescription=f"{manifest.name} {manifest.version}",
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"ModelDataUrl": f"s3://{bucket}/{key}"}],
            "SupportedContentTypes": ["application/octet-stream"],
            "SupportedResponseMIMETypes": ["application/octet-stream"],
        },
        SkipModelValidation="All",
    )
    return _describe(sagemaker, made["ModelPackageArn"])


@readable_errors()
def list_models(cloud: Cloud, name: str | None = None) -> list[ModelVersion]:
    """Every registered version, or those of one model; newest version first."""
    sagemaker = cloud.client("sagemaker")
    found = [_describe(sagemaker, arn) for arn in _arns(sagemaker, cloud, name)]
    by_version = sorted(found, key=lambda model: version_key(model.version), reverse=True)
    return sorted(by_version, key=lambda model: model.name)


def approve_model(cloud: Cloud, name: str, version: str, *, rollback: bool = False) -> ModelVersion:
    """Approve a version: it is packaged, signed and rolled out.

    ``rollback`` says that it is meant to replace a newer one. Raises ``GustbedError`` if the
    version is not registered.
    """
    return _decide(cloud, name, version, "Approved", ROLLBACK if rollback else "approved")


def reject_model(cloud: Cloud, name: str, version: str) -> ModelVersion:
    """Reject a version. A rollout that has begun goes on."""
    return _decide(cloud, name, version, "Rejected", "rejected")


@readable_errors()
def _decide(cloud: Cloud, name: str, version: str, status: Approval, note: str) -> ModelVersion:
    known = [model for model in list_models(cloud, name) if model.version == version]
    if not known:
        raise GustbedError(f"model {name} {version}: not registered", "see `gustbed model list`")
    sagemaker = cloud.client("sagemaker")
    sagemaker.update_model_package(
        ModelPackageArn=known[0].arn, ModelApprovalStatus=status, ApprovalDescription=note
    )
    return _describe(sagemaker, known[0].arn)


def _ensure_group(sagemaker: Any, group: str, name: str) -> None:
    try:
        sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    except ClientError as error:
        if "does not exist" not in str(error) and error_code(error) != "ResourceNotFound":
            raise
        sagemaker.create_model_package_group(
            ModelPackageGroupName=group, ModelPackageGroupDescription=f"Gustbed model {name}"
        )


def _arns(sagemaker: Any, cloud: Cloud, name: str | None) -> Iterator[str]:
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


def _describe(sagemaker: Any, arn: str) -> ModelVersion:
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    url = found["InferenceSpecification"]["Containers"][0].get("ModelDataUrl", "")
    place = _KEY.fullmatch(url)
    if place is None:
        raise GustbedError(f"{arn}: {url!r} is no package of ours", "delete it from the registry")
    changed = found.get("LastModifiedTime")
    return ModelVersion(
        name=place.group(1),
        version=place.group(2),
        status=cast(Approval, found.get("ModelApprovalStatus", "PendingManualApproval")),
        created=_unix(found["CreationTime"]),
        changed=_unix(changed) if changed else None,
        note=found.get("ApprovalDescription") or "",
        url=url,
        arn=arn,
    )


def _unix(moment: datetime) -> float:
    return moment.timestamp()
