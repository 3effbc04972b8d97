"""Register a model package: its quality gate, its archive in S3, its entry in the registry."""

import json
import re
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from gustbed_cloud.aws import error_code, readable_errors
from gustbed_cloud.client import Cloud
from gustbed_cloud.gates import doubt
from gustbed_cloud.models import ModelVersion, describe, list_models
from gustbed_cloud.settings import CloudSettings
from gustbed_core.errors import GustbedError
from gustbed_core.gate_report import PASSED
from gustbed_core.jobs import PACKAGE_FILE
from gustbed_core.package import Manifest, read_package, sha256
from gustbed_core.registrations import (
    METRIC,
    GateResult,
    Registration,
    model_prefix,
    registration_key,
)
from gustbed_core.settings import load

GATE = "gate"
"""Key in a manifest's ``training``: what its gate said. Only a signed report makes it count."""
METRICS_FILE = "metrics.json"
MAX_REASON = 200
"""Characters of a reason for registering a package despite its gate."""
_MAX_METRICS = 40
"""Of at most 50 properties that SageMaker keeps; the file has them all."""
MAX_GROUP = 63
"""Characters of a model package group's name, the last of them a letter or a digit."""
_NOT_IN_PROPERTIES = re.compile(r"[^\w .:/=+@-]")


@readable_errors()
def register_model(
    cloud: Cloud, package_path: Path, gate_override: str = "", pipelines: Path | None = None
) -> ModelVersion:
    """Upload a package and register it, pending approval.

    ``gate_override`` is the reason for registering one that has not passed its quality gate;
    operators are shown it. ``pipelines`` is the folder of public keys whose signed gate reports
    count, else that of ``GUSTBED_PIPELINE_KEYS``. Raises ``PackageError`` for a bad package,
    ``GustbedError`` if the gate says no or the version is registered.
    """
    try:
        data = package_path.read_bytes()
    except OSError as error:
        raise GustbedError(f"{package_path}: {error.strerror}", "name a model package") from error
    manifest = read_package(data).manifest
    keys = pipelines or load(CloudSettings).pipeline_keys
    gate = _pass_gate(package_path, manifest, gate_override, doubt(data, manifest, keys))
    _refuse_name(package_path, cloud.outputs.model_package_group_prefix, manifest.name)
    if any(known.version == manifest.version for known in list_models(cloud, manifest.name)):
        raise GustbedError(
            f"{package_path}: {manifest.name} {manifest.version} is registered already",
            "raise the version",
        )
    record = Registration(
        manifest.name,
        manifest.version,
        sha256(data),
        len(data),
        manifest.turbine_type,
        manifest.detector,
        gate,
        {name: float(value) for name, value in manifest.metrics.items()},
    )
    return describe(cloud, _register(cloud, record, data))


def _refuse_name(path: Path, prefix: str, name: str) -> None:
    """SageMaker's rule for the group, before anything is uploaded."""
    most = MAX_GROUP - len(prefix)
    if len(name) > most or name.endswith("-"):
        raise GustbedError(
            f"{path}: the registry cannot name a group {prefix}{name}",
            f"give the model a name of at most {most} characters, a letter or a digit last",
        )


def _register(cloud: Cloud, record: Registration, data: bytes) -> str:
    """Lay out the version's objects, then enter it into the registry; return its ARN."""
    bucket = cloud.outputs.artifact_bucket
    folder = model_prefix(record.name, record.version)
    objects = {
        f"{folder}/{PACKAGE_FILE}": data,
        f"{folder}/{METRICS_FILE}": json.dumps(record.metrics, sort_keys=True).encode(),
        registration_key(record.name, record.version): record.to_json(),
    }
    s3 = cloud.client("s3")
    for key, body in objects.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    sagemaker = cloud.client("sagemaker")
    group = cloud.outputs.model_package_group_prefix + record.name
    _ensure_group(sagemaker, group, record.name)
    despite = f" (despite its gate: {record.gate.override})" if record.gate.override else ""
    made = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelPackageDescription=f"{record.name} {record.version}{despite}",
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"ModelDataUrl": f"s3://{bucket}/{folder}/{PACKAGE_FILE}"}],
            "SupportedContentTypes": ["application/octet-stream"],
            "SupportedResponseMIMETypes": ["application/octet-stream"],
        },
        ModelMetrics={
            "ModelQuality": {
                "Statistics": {
                    "ContentType": "application/json",
                    "S3Uri": f"s3://{bucket}/{folder}/{METRICS_FILE}",
                }
            }
        },
        CustomerMetadataProperties=_properties(record),
        SkipModelValidation="All",
    )
    return str(made["ModelPackageArn"])


def _pass_gate(path: Path, manifest: Manifest, override: str, doubted: str) -> GateResult:
    """Return the gate's result. Raises ``GustbedError`` if it neither passed nor is overridden."""
    said = manifest.training.get(GATE, "")
    if said == PASSED and not doubted:
        return GateResult(passed=True)
    if said == PASSED:
        gate = refusal = doubted
    else:
        gate = said
        refusal = f"its quality gate says {said[:200]!r}" if said else "it names no quality gate"
    reason = "".join(sign for sign in " ".join(override.split()) if sign.isprintable())
    if not reason:
        raise GustbedError(f"{path}: {refusal}", "train it again, or give --despite-gate REASON")
    if len(reason) > MAX_REASON:
        raise GustbedError(f"--despite-gate: {len(reason)} characters", f"use at most {MAX_REASON}")
    return GateResult(passed=False, detail=gate, override=reason)


def _properties(record: Registration) -> dict[str, str]:
    """What people may look for in the registry, in the characters that SageMaker takes."""
    properties = {
        "turbine_type": record.turbine_type,
        "detector": record.detector,
        GATE: PASSED if record.gate.passed else record.gate.detail,
    }
    metrics = sorted(record.metrics.items())[:_MAX_METRICS]
    properties |= {f"{METRIC}{name}"[:128]: repr(value) for name, value in metrics}
    return {
        _NOT_IN_PROPERTIES.sub("_", name): _NOT_IN_PROPERTIES.sub("_", value)[:256]
        for name, value in properties.items()
        if value
    }


def _ensure_group(sagemaker: Any, group: str, name: str) -> None:
    try:
        sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    except ClientError as error:
        if "does not exist" not in str(error) and error_code(error) != "ResourceNotFound":
            raise
        sagemaker.create_model_package_group(
            ModelPackageGroupName=group, ModelPackageGroupDescription=f"Gustbed model {name}"
        )
