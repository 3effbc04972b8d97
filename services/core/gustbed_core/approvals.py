"""The record of a decision on a model version, and what follows from a model's records.

Each decision is an object of its own in the artifact bucket, numbered within its model. The
arrival of an approval there is what starts a rollout, so that a version can be approved any number
of times.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from gustbed_core.errors import GustbedError
from gustbed_core.jobs import Role
from gustbed_core.records import RecordError, read_record
from gustbed_core.registrations import GateResult

SCHEMA = 1
PREFIX = "approvals/"
SEQUENCE_PROPERTY = "approval"
"""Registry property of a version: the number of the record that its status is due to."""
MAX_SEQUENCE = 999_999
Decision = Literal["approved", "rejected"]
_DECISIONS: dict[str, Decision] = {"Approved": "approved", "Rejected": "rejected"}
"""By SageMaker's status."""
Source = Literal["operator", "registry"]
"""Whether it was decided with Gustbed's tools, or in the registry itself."""
_VERSION = re.compile(r"\d{1,9}\.\d{1,9}\.\d{1,9}")


@dataclass(frozen=True)
class ApprovalRecord:
    """One decision. ``by`` is the ARN of who decided, ``at`` Unix seconds.

    ``sha256`` is the digest of the package that was decided on, empty if it is not known.
    ``role`` and ``rollback`` say what an approval is for.
    """

    model: str
    version: str
    sequence: int
    decision: Decision
    source: Source
    by: str
    at: float
    sha256: str
    gate: GateResult
    role: Role = "serve"
    rollback: bool = False
    schema: int = SCHEMA

    @property
    def rollout(self) -> str:
        """Id of the rollout, which is also its job's: at most 64 of the signs that IoT takes.

        The digest keeps it apart from one before the records were lost: edges remember jobs.
        """
        digest = hashlib.sha256(self.to_json()).hexdigest()[:6]
        version = self.version.replace(".", "_")
        return f"{self.model[:20]}-{version}-{self.sequence}-{digest}"

    def to_json(self) -> bytes:
        """The object's content."""
        return json.dumps(asdict(self), sort_keys=True).encode()


def approvals_prefix(model: str = "") -> str:
    """Folder of a model's records in the artifact bucket, or of every model's."""
    return f"{PREFIX}{model}/" if model else PREFIX


def approval_key(record: ApprovalRecord) -> str:
    """Where a record lies there: in order of its number."""
    return f"{approvals_prefix(record.model)}{record.sequence:06d}.json"


def approval_from_json(data: bytes, key: str) -> ApprovalRecord:
    """Read a record. Raises ``GustbedError`` naming the object."""
    try:
        record = read_record(ApprovalRecord, json.loads(data))
    except (ValueError, RecordError) as error:
        raise GustbedError(key, f"not the record of an approval: {error}") from error
    if _VERSION.fullmatch(record.version) is None:
        raise GustbedError(key, f"version {record.version[:40]!r} is not MAJOR.MINOR.PATCH")
    if record.schema != SCHEMA or approval_key(record) != key:
        raise GustbedError(key, f"says {record.model} {record.sequence}, schema {record.schema}")
    return record


def of_version(records: Iterable[ApprovalRecord], model: str, version: str) -> list[ApprovalRecord]:
    """A version's records, oldest first."""
    found = [each for each in records if (each.model, each.version) == (model, version)]
    return sorted(found, key=lambda record: record.sequence)


def order_number(records: Iterable[ApprovalRecord], record: ApprovalRecord) -> int:
    """The sequence that an approval's signed order carries: above those of its model's earlier
    records, and of records that were lost, since it is not below the approval's time.

    ``records`` are the model's.
    """
    number = 0
    for each in sorted(records, key=lambda each: each.sequence):
        if each.sequence > record.sequence:
            break
        number = max(number + 1, int(each.at))
    return number


def in_force(records: Iterable[ApprovalRecord]) -> list[ApprovalRecord]:
    """What an edge should run that knows of no approval yet: of each model the version to serve,
    then the one to run in shadow, if there is a newer one.
    """
    latest: dict[tuple[str, str], ApprovalRecord] = {}
    for record in sorted(records, key=lambda each: each.sequence):
        latest[record.model, record.version] = record
    approved = [each for each in latest.values() if each.decision == "approved"]
    serving: dict[str, ApprovalRecord] = {}
    shadows: dict[str, ApprovalRecord] = {}
    for record in sorted(approved, key=lambda each: each.sequence):
        if record.role == "shadow":
            shadows[record.model] = record
        elif record.rollback or _is_newer(record, serving.get(record.model)):
            serving[record.model] = record
    beside = [each for each in shadows.values() if _is_newer(each, serving.get(each.model))]
    return [*serving.values(), *beside]


def _is_newer(record: ApprovalRecord, other: ApprovalRecord | None) -> bool:
    return other is None or _numbers(record.version) > _numbers(other.version)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def decided_elsewhere(
    status: str, pointer: int, records: Sequence[ApprovalRecord]
) -> Decision | None:
    """What was decided in the registry itself, and is in no record yet.

    ``status`` and ``pointer`` (``SEQUENCE_PROPERTY``, else 0) are the registry's of a version,
    ``records`` the version's.
    """
    decision = _DECISIONS.get(status)
    own = max((each.sequence for each in records if each.source == "operator"), default=0)
    if decision is None or pointer != own:
        # Our own decision is on its way to the registry, or records were lost.
        return None
    latest = records[-1].decision if records else "rejected"
    return decision if decision != latest else None


def earlier_approval(note: str) -> tuple[Role, bool]:
    """Read what Gustbed 0.1 kept of an approval: role and rollback, the note's first word."""
    word = re.split(r"\W", note.lower(), maxsplit=1)[0]
    return ("shadow" if word == "shadow" else "serve"), word == "rollback"
