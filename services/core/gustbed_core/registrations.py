"""The record of a registered model version: what it is, and how it stood at its quality gate.

It lies in the artifact bucket beside the package, so that it reads the same on AWS and locally
and keeps every sign of a person's reason; SageMaker's properties take few.
"""

import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from gustbed_core.errors import GustbedError
from gustbed_core.jobs import PACKAGE_FILE
from gustbed_core.records import RecordError, read_record

SCHEMA = 1
METRIC = "metric."
"""Before the name of a registry property that holds a metric."""
_PLACE = re.compile(r"s3://([^/]+)/models/([^/]+)/([^/]+)/" + re.escape(PACKAGE_FILE))
_OVERRIDE = re.compile(r" \(despite its quality gate: (.*)\)$")


@dataclass(frozen=True)
class GateResult:
    """The quality gate's result. ``detail`` is what the gate said, ``override`` the reason for
    registering a version that did not pass.
    """

    passed: bool
    detail: str = ""
    override: str = ""


@dataclass(frozen=True)
class Registration:
    """A registered version. ``sha256`` (hex) and ``size`` (bytes) are the package archive's; empty
    and 0 for a version that an earlier Gustbed registered.
    """

    name: str
    version: str
    sha256: str
    size: int
    turbine_type: str
    detector: str
    gate: GateResult
    metrics: dict[str, float] = field(default_factory=dict)
    schema: int = SCHEMA

    def to_json(self) -> bytes:
        """The object's content."""
        return json.dumps(asdict(self), sort_keys=True).encode()


def model_prefix(name: str, version: str) -> str:
    """Folder of a registered version in the artifact bucket."""
    return f"models/{name}/{version}"


def registration_key(name: str, version: str) -> str:
    """Where a version's record lies there."""
    return f"{model_prefix(name, version)}/registration.json"


def registration_from_json(data: bytes, key: str) -> Registration:
    """Read a record. Raises ``GustbedError`` naming the object."""
    try:
        found = read_record(Registration, json.loads(data))
    except (ValueError, RecordError) as error:
        raise GustbedError(key, f"not the record of a model version: {error}") from error
    if found.schema != SCHEMA or registration_key(found.name, found.version) != key:
        raise GustbedError(key, f"says {found.name} {found.version}, schema {found.schema}")
    return found


def package_place(url: str) -> tuple[str, str, str]:
    """Bucket, name and version of a registered package's address. Raises ``ValueError``."""
    place = _PLACE.fullmatch(url)
    if place is None:
        raise ValueError(f"{url!r} is no package of ours")
    return place[1], place[2], place[3]


def earlier_registration(name: str, version: str, described: dict[str, Any]) -> Registration:
    """Read what Gustbed 0.1 kept of a version, in the registry's properties and description.

    ``described`` is SageMaker's answer to ``DescribeModelPackage``.
    """
    properties = described.get("CustomerMetadataProperties") or {}
    reason = _OVERRIDE.search(described.get("ModelPackageDescription") or "")
    detail = properties.get("gate", "")
    gate = GateResult(passed=False, detail=detail, override=reason[1] if reason else "")
    if detail == "passed":
        gate = GateResult(passed=True)
    return Registration(
        name=name,
        version=version,
        sha256="",
        size=0,
        turbine_type=properties.get("turbine_type", ""),
        detector=properties.get("detector", ""),
        gate=gate,
        metrics=dict(_metrics(properties)),
    )


def _metrics(properties: dict[str, str]) -> list[tuple[str, float]]:
    metrics = []
    for name, value in properties.items():
        if name.startswith(METRIC):
            try:
                metrics.append((name.removeprefix(METRIC), float(value)))
            except ValueError:
                continue
    return metrics
