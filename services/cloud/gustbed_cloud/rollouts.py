"""Rollouts: AWS IoT Jobs on the fleet's thing group, and how they stand on every edge."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gustbed_cloud.aws import readable_errors
from gustbed_cloud.client import Cloud
from gustbed_cloud.models import ModelVersion, list_models
from gustbed_core.jobs import Role

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


@dataclass(frozen=True)
class Job:
    """A rollout of one model version, to serve or to run in shadow.

    ``status`` is AWS IoT's word for the job as a whole.
    """

    id: str
    name: str
    version: str
    status: str
    created: float | None
    completed: float | None
    executions: tuple[Execution, ...]
    role: Role = "serve"


@readable_errors()
def launch_lost(cloud: Cloud, now: float) -> list[ModelVersion]:
    """Start the rollouts of approved versions whose announcement was lost; return them.

    Harmless when nothing was: a release's job is created once.
    """
    overdue = [
        model
        for model in list_models(cloud)
        if model.status == "Approved" and LATE <= now - (model.changed or 0.0) <= TOO_LATE
    ]
    jobs = list_jobs(cloud) if overdue else []
    rolled = {(job.name, job.version, job.role) for job in jobs}
    lost = [model for model in overdue if (model.name, model.version, model.role) not in rolled]
    for model in lost:
        cloud.client("lambda").invoke(
            FunctionName=cloud.outputs.model_packager_name,
            InvocationType="Event",
            Payload=json.dumps({"detail": {"ModelPackageArn": model.arn}}),
        )
    return lost


@readable_errors()
def list_jobs(cloud: Cloud, limit: int = 20) -> list[Job]:
    """Return the latest rollouts of this fleet, newest first."""
    iot = cloud.client("iot")
    pages = iot.get_paginator("list_jobs").paginate(thingGroupName=cloud.outputs.thing_group_name)
    rows = [row for page in pages for row in page["jobs"]]
    rows.sort(key=lambda row: row["createdAt"], reverse=True)
    return [_job(iot, row["jobId"]) for row in rows[:limit]]


def _job(iot: Any, job_id: str) -> Job:
    found = iot.describe_job(jobId=job_id)["job"]
    # As job_creator writes it: name, version, and the role unless that is to serve.
    name, version, role = [*found.get("description", "").split(" "), "", "", ""][:3]
    pages = iot.get_paginator("list_job_executions_for_job").paginate(jobId=job_id)
    executions = (
        _execution(iot, job_id, row) for page in pages for row in page["executionSummaries"]
    )
    return Job(
        id=job_id,
        name=name,
        version=version,
        status=found["status"],
        created=_unix(found.get("createdAt")),
        completed=_unix(found.get("completedAt")),
        executions=tuple(sorted(executions, key=lambda execution: execution.thing)),
        role="shadow" if role == "shadow" else "serve",
    )


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
