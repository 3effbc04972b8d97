"""Follow one rollout to its end, for so long, and say why it ended or did not."""

import time
from collections.abc import Callable

from gustbed_cloud.aws import readable_errors
from gustbed_cloud.client import Cloud
from gustbed_cloud.models import ModelVersion
from gustbed_cloud.rollouts import Execution, Job, find_job
from gustbed_core.errors import GustbedError

JOB_WITHIN = 120.0
"""Seconds in which an approval becomes a job, or something is wrong with it."""
LOOK_EVERY = 1.0
FINAL = frozenset({"SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED", "REMOVED"})
"""Statuses of a job execution that no longer change."""
_ENDED = {"COMPLETED", "CANCELED"}
"""Statuses of a job that makes no more executions."""
_MEANS = {
    "TIMED_OUT": "the edge took the job and said no more: see its log",
    "CANCELED": "the rollout was cancelled, or stopped itself because too many edges failed",
    "REMOVED": "the edge left the fleet",
    "REJECTED": "the edge refused it",
}


def explain(execution: Execution) -> str:
    """Why a job stands as it does on an edge: the reason's code and the edge's sentence."""
    return execution.why or _MEANS.get(execution.status, "")


@readable_errors()
def follow_rollout(
    cloud: Cloud,
    approved: ModelVersion,
    within: float,
    report: Callable[[str], object],
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Return once every edge has a version that was approved; ``report`` gets what changes.

    Raises ``GustbedError`` if the rollout fails, reaches nobody or takes more than ``within``
    seconds, and says which edge is the reason.
    """
    what = f"{approved.name} {approved.version}"
    if approved.approval is None:
        raise GustbedError(f"{what}: no approval of it is known", "approve it again")
    start, reported = clock(), ""
    while True:
        job = find_job(cloud, approved.approval.rollout)
        words = _standing(job)
        if words != reported:
            report(words)
            reported = words
        if job is not None and _is_over(cloud, what, job):
            return
        waited = clock() - start
        if job is None and waited > min(JOB_WITHIN, within):
            raise GustbedError(
                f"{what}: approved, but no rollout of it after {waited:.0f} s",
                f"see the log of function {cloud.outputs.model_packager_name}, then approve again",
            )
        if job is not None and waited > within:
            raise GustbedError(f"{what}: not on every edge after {within:.0f} s", _left(job))
        pause(LOOK_EVERY)


def _standing(job: Job | None) -> str:
    if job is None:
        return "waiting for the job"
    return ", ".join(f"{e.thing} {e.status}" for e in job.executions) or f"{job.id} {job.status}"


def _is_over(cloud: Cloud, what: str, job: Job) -> bool:
    """Whether all succeeded. Raises ``GustbedError`` if it ended in another way."""
    if not job.executions:
        if job.status in _ENDED or not _edges(cloud):
            raise GustbedError(
                f"{what}: approved, but no edge is enrolled",
                "an edge gets it when it is enrolled: `gustbed enrol THING`",
            )
        return False
    if any(execution.status not in FINAL for execution in job.executions):
        return False
    failed = [execution for execution in job.executions if execution.status != "SUCCEEDED"]
    if not failed:
        return True
    # One that said why tells more than those that were cancelled because of it.
    first = min(failed, key=lambda execution: execution.status == "CANCELED")
    others = f", as on {len(failed) - 1} other edges" if len(failed) > 1 else ""
    raise GustbedError(
        f"{what} on {first.thing}: {first.status}{others}",
        explain(first) or "see `gustbed logs edge`",
    )


def _edges(cloud: Cloud) -> bool:
    group = cloud.outputs.thing_group_name
    found = cloud.client("iot").list_things_in_thing_group(thingGroupName=group, maxResults=1)
    return bool(found["things"])


def _left(job: Job) -> str:
    """What those say that have not answered."""
    away = [e.thing for e in job.executions if e.status == "QUEUED"]
    busy = [e.thing for e in job.executions if e.status not in FINAL and e.status != "QUEUED"]
    words = []
    if away:
        words.append(
            f"{_few(away)} did not take it: start the edge or its link; it installs it on return"
        )
    if busy:
        words.append(f"{_few(busy)} took it and installs it still: see `gustbed logs edge`")
    return "; ".join(words) or "see `gustbed jobs`"


def _few(things: list[str]) -> str:
    more = f" and {len(things) - 3} more" if len(things) > 3 else ""
    return ", ".join(things[:3]) + more
