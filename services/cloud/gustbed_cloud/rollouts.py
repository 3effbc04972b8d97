"""Rollouts: AWS IoT Jobs on the fleet's thing group, and how they stand on every edge.

What a job rolls out is in its document; its description is for people.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gustbed_cloud.approval_store import read_approvals
from gustbed_cloud.aws import Session, readable_errors
from gustbed_cloud.client import Cloud
from gustbed_cloud.models import list_models
from gustbed_cloud.outputs import Outputs
from gustbed_core.approvals import ApprovalRecord, approval_key
from gustbed_core.jobs import DocumentError, Release, Role, read_job_document, welcome_prefix
from gustbed_core.naming import natural

LATE, TOO_LATE = 20.0, 24 * 3600.0
"""Seconds after an approval between which a missing job means that the rollout was lost."""
_TELLING = {"IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT"}
"""Statuses under which an edge may have said more."""


@dataclass(frozen=True)
class Execution:
    """How a job stands on one edge. ``reason`` is what the edge said of it, if anything.

    ``queued``, ``started`` and ``updated`` are Unix seconds.
    """

    thing: str
    status: str
    reason: str
    queued: float | None
    started: float | None
    updated: float | None
    details: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether it ended, and not well."""
        return self.status in ("FAILED", "TIMED_OUT", "REJECTED", "CANCELED", "REMOVED")

    @property
    def why(self) -> str:
        """The reason's code and the edge's sentence, as far as the edge gave them."""
        return ": ".join(word for word in (self.reason, self.details.get("detail", "")) if word)


@dataclass(frozen=True)
class Job:
    """A rollout of one model version, to serve or to run in shadow.

    ``status`` is AWS IoT's word for the job as a whole. ``name`` and ``version`` are empty for a
    job that rolls out no model.
    """

    id: str
    name: str
    version: str
    status: str
    created: float | None
    completed: float | None
    executions: tuple[Execution, ...]
    role: Role = "serve"
    rollback: bool = False


@readable_errors()
def launch_lost(cloud: Cloud, now: float) -> list[str]:
    """Start the rollouts of approvals whose announcement was lost; return what they are of.

    Harmless when nothing was: an approval's job is created once.
    """
    models = list_models(cloud)
    records = read_approvals(
        cloud.client("s3"), cloud.outputs.artifact_bucket, known=cloud.approvals
    )
    overdue = [each for each in standing_approvals(records) if _overdue(each.at, now)]
    elsewhere = [
        each
        for each in models
        if each.unrecorded and each.status == "Approved" and _overdue(each.changed or 0.0, now)
    ]
    jobs = list_jobs(cloud) if overdue or elsewhere else []
    ids = {job.id for job in jobs}
    rolled = {(job.name, job.version) for job in jobs}
    lost = []
    for record in overdue:
        if record.rollout not in ids:
            _invoke(cloud, _arrival(cloud.outputs.artifact_bucket, approval_key(record)))
            lost.append(f"{record.model} {record.version}")
    for model in elsewhere:
        # One that Gustbed 0.1 has rolled out needs no record now.
        if model.approval is not None or (model.name, model.version) not in rolled:
            _invoke(cloud, {"detail": {"ModelPackageArn": model.arn}})
            lost.append(f"{model.name} {model.version}")
    return lost


@readable_errors()
def welcome(session: Session, outputs: Outputs, thing: str, certificate_arn: str) -> None:
    """Have an edge that was enrolled get what was approved before it came; that takes a moment.

    Part of an enrolment that may be repeated: its jobs are created once per certificate.
    """
    enrolment = certificate_arn.rpartition("/")[2]
    _invoke(Cloud(session, outputs), {"welcome": {"thing": thing, "enrolment": enrolment}})


def standing_approvals(records: Iterable[ApprovalRecord]) -> list[ApprovalRecord]:
    """Approvals that nothing later has replaced: the latest of each model and role, unless its
    version was decided on again.
    """
    latest: dict[tuple[str, str], ApprovalRecord] = {}
    of_version: dict[tuple[str, str], ApprovalRecord] = {}
    for record in sorted(records, key=lambda record: record.sequence):
        of_version[record.model, record.version] = record
        if record.decision == "approved":
            latest[record.model, record.role] = record
    return [each for each in latest.values() if of_version[each.model, each.version] is each]


def _overdue(at: float, now: float) -> bool:
    return LATE <= now - at <= TOO_LATE


def _arrival(bucket: str, key: str) -> dict[str, Any]:
    """What S3 tells model_packager when an approval arrives."""
    return {"Records": [{"s3": {"bucket": {"name": bucket}, "object": {"key": key}}}]}


def _invoke(cloud: Cloud, event: dict[str, Any]) -> None:
    cloud.client("lambda").invoke(
        FunctionName=cloud.outputs.model_packager_name,
        InvocationType="Event",
        Payload=json.dumps(event),
    )


@readable_errors()
def list_jobs(cloud: Cloud, limit: int = 20) -> list[Job]:
    """Return the latest rollouts of this fleet, and to edges that joined it, newest first."""
    group = cloud.outputs.thing_group_name
    pages = cloud.client("iot").get_paginator("list_jobs")
    found = {
        row["jobId"]: row for page in pages.paginate(thingGroupName=group) for row in page["jobs"]
    }
    # Jobs of single things are listed with those of the whole account; the emulator lists them
    # with the group's, too.
    found |= {
        row["jobId"]: row
        for page in pages.paginate()
        for row in page["jobs"]
        if row["jobId"].startswith(welcome_prefix(group))
    }
    rows = sorted(found.values(), key=lambda row: row["createdAt"], reverse=True)
    return [_job(cloud, row["jobId"]) for row in rows[:limit]]


@readable_errors()
def find_job(cloud: Cloud, job_id: str) -> Job | None:
    """One rollout, None if there is none of this id (yet)."""
    try:
        return _job(cloud, job_id)
    except cloud.client("iot").exceptions.ResourceNotFoundException:
        return None


def _job(cloud: Cloud, job_id: str) -> Job:
    iot = cloud.client("iot")
    found = iot.describe_job(jobId=job_id)["job"]
    pages = iot.get_paginator("list_job_executions_for_job").paginate(jobId=job_id)
    executions = (
        _execution(iot, job_id, row) for page in pages for row in page["executionSummaries"]
    )
    release = _release(cloud, job_id)
    return Job(
        id=job_id,
        name=release.name if release else "",
        version=release.version if release else "",
        status=found["status"],
        created=_unix(found.get("createdAt")),
        completed=_unix(found.get("completedAt")),
        executions=tuple(sorted(executions, key=lambda execution: natural(execution.thing))),
        role=release.role if release else "serve",
        rollback=bool(release and release.rollback),
    )


def _release(cloud: Cloud, job_id: str) -> Release | None:
    if job_id not in cloud.releases:
        text = cloud.client("iot").get_job_document(jobId=job_id)["document"]
        try:
            cloud.releases[job_id] = read_job_document(json.loads(text)).release
        except (ValueError, DocumentError):
            cloud.releases[job_id] = None
    return cloud.releases[job_id]


def _execution(iot: Any, job_id: str, row: dict[str, Any]) -> Execution:
    thing, summary = row["thingArn"].rsplit("/", 1)[-1], row["jobExecutionSummary"]
    details: dict[str, str] = {}
    if summary["status"] in _TELLING:
        found = iot.describe_job_execution(jobId=job_id, thingName=thing)["execution"]
        details = dict(found.get("statusDetails", {}).get("detailsMap", {}))
    return Execution(
        thing=thing,
        status=summary["status"],
        reason=details.get("reason", ""),
        queued=_unix(summary.get("queuedAt")),
        started=_unix(summary.get("startedAt")),
        updated=_unix(summary.get("lastUpdatedAt")),
        details=details,
    )


def _unix(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
