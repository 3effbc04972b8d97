"""The model registry read: a SageMaker model package group per model name.

The name and version of a registered package are in its key in the artifact bucket, because the
registry counts versions of its own. What else a package says of itself is in the registry's custom
properties.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

from gustbed_cloud.aws import readable_errors
from gustbed_cloud.client import Cloud
from gustbed_core.errors import GustbedError
from gustbed_core.jobs import Role
from gustbed_core.package import version_key

Approval = Literal["PendingManualApproval", "Approved", "Rejected"]
ROLLBACK, SHADOW = "rollback", "shadow"
"""First word of an approval that may install over a newer version, or that puts a version beside
the serving one.
"""
METRIC = "metric."
"""Before the name of a property that holds a metric."""
_KEY = re.compile(r"s3://[^/]+/models/([^/]+)/([^/]+)/[^/]+")
_DESPITE = re.compile(r" \(despite its quality gate: (.*)\)$")


@dataclass(frozen=True)
class ModelVersion:
    """A registered version. ``created`` and ``changed`` are Unix seconds.

    ``role`` is what an approved version is for, None for any other. ``despite_gate`` is the reason
    for registering it without having passed its quality gate, else empty.
    """

    name: str
    version: str
    status: Approval
    created: float
    changed: float | None
    note: str
    url: str
    arn: str
    role: Role | None = None
    turbine_type: str = ""
    detector: str = ""
    despite_gate: str = ""
    metrics: dict[str, float] = field(default_factory=dict)


@readable_errors()
def list_models(cloud: Cloud, name: str | None = None) -> list[ModelVersion]:
    """Every registered version, or those of one model; newest version first."""
    sagemaker = cloud.client("sagemaker")
    found = [describe(sagemaker, arn) for arn in _arns(sagemaker, cloud, name)]
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
    for model in sorted(approved, key=lambda model: model.changed or model.created):
        newer = serving is None or version_key(model.version) > version_key(serving.version)
        if newer or first_word(model.note) == ROLLBACK:
            serving = model
    return serving


def first_word(note: str) -> str:
    """What an approval's note says that the version is for."""
    return re.split(r"\W", note.lower(), maxsplit=1)[0]


def despite(reason: str) -> str:
    """What descriptions and notes end with, if a version did not pass its quality gate."""
    return f" (despite its quality gate: {reason})" if reason else ""


def describe(sagemaker: Any, arn: str) -> ModelVersion:
    """Read one version. Raises ``GustbedError`` if it is none of ours."""
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    url = found["InferenceSpecification"]["Containers"][0].get("ModelDataUrl", "")
    place = _KEY.fullmatch(url)
    if place is None:
        raise GustbedError(f"{arn}: {url!r} is no package of ours", "delete it from the registry")
    changed = found.get("LastModifiedTime")
    status = cast(Approval, found.get("ModelApprovalStatus", "PendingManualApproval"))
    note = found.get("ApprovalDescription") or ""
    properties = found.get("CustomerMetadataProperties") or {}
    reason = _DESPITE.search(found.get("ModelPackageDescription") or "")
    return ModelVersion(
        name=place.group(1),
        version=place.group(2),
        status=status,
        created=_unix(found["CreationTime"]),
        changed=_unix(changed) if changed else None,
        note=note,
        url=url,
        arn=arn,
        role=_role(status, note),
        turbine_type=properties.get("turbine_type", ""),
        detector=properties.get("detector", ""),
        despite_gate=reason.group(1) if reason else "",
        metrics=_metrics(properties),
    )


def _role(status: Approval, note: str) -> Role | None:
    if status != "Approved":
        return None
    return "shadow" if first_word(note) == SHADOW else "serve"


def _metrics(properties: dict[str, str]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for name, value in properties.items():
        if name.startswith(METRIC):
            try:
                metrics[name.removeprefix(METRIC)] = float(value)
            except ValueError:
                continue
    return metrics


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


def _unix(moment: datetime) -> float:
    return moment.timestamp()
