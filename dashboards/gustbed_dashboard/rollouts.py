"""Models and rollouts as HTML. What came from the cloud is escaped here."""

from collections.abc import Sequence
from datetime import tzinfo

from gustbed_cloud.operations import Execution, Job, ModelVersion
from gustbed_dashboard import markup, words
from gustbed_protocol.events import ModelRef

JOBS_SHOWN = 8

_APPROVALS = {
    "PendingManualApproval": ("caution", "half", "Waits for approval"),
    "Approved": ("ok", "check", "Approved"),
    "Rejected": ("quiet", "cross", "Rejected"),
}
_DONE = {"SUCCEEDED", "COMPLETED"}
_FAILED = {"FAILED", "TIMED_OUT", "REJECTED", "CANCELED", "REMOVED", "DELETION_IN_PROGRESS"}


def version(model: ModelVersion, serving: ModelRef | None, zone: tzinfo | None) -> str:
    """One row of the registry."""
    tone, icon, word = _APPROVALS.get(model.status, ("quiet", "question", model.status))
    here = serving is not None and (serving.name, serving.version) == (model.name, model.version)
    chip = '<span class="gb-chip gb-ok">on the edge</span>' if here else ""
    number = markup.text(model.version, 24)
    return (
        f'<div class="gb-model" data-model="{number}" data-approval="{markup.text(model.status)}">'
        f'<div class="gb-title"><span class="gb-version">{number}</span>'
        f"{markup.status(tone, icon, word)}{chip}</div>"
        f'<div class="gb-sub">{markup.text(model.name, 60)} · registered'
        f" {words.moment(model.created, zone)}</div></div>"
    )


def serving(thing: str, model: ModelRef | None, update: str | None, *, alive: bool) -> str:
    """The model that the site's edge serves."""
    if model is None:
        return '<div class="gb-empty">Waiting for the edge to say which model it serves…</div>'
    state = (
        markup.status("ok", "dot", "Serving")
        if alive
        else markup.status("quiet", "question", "Edge not heard")
    )
    doing = f'<div class="gb-sub gb-caution">Update: {markup.text(update)}</div>' if update else ""
    return (
        '<div class="gb-panel gb-pad"><div class="gb-title">'
        f'<span class="gb-version">{markup.text(model.version, 24)}</span>{state}</div>'
        f'<div class="gb-sub">{markup.text(model.name, 60)} on {markup.text(thing, 64)}</div>'
        f"{doing}</div>"
    )


def table(jobs: Sequence[Job], now: float) -> str:
    """Rollouts with their progress on every edge."""
    if not jobs:
        return (
            '<div class="gb-empty">No rollout yet. Approving a version packages it, signs it'
            " and sends a job to every edge.</div>"
        )
    return f'<div class="gb-panel">{"".join(_job(job, now) for job in jobs[:JOBS_SHOWN])}</div>'


def _job(job: Job, now: float) -> str:
    done = sum(e.status in _DONE for e in job.executions)
    failed = sum(e.status in _FAILED for e in job.executions)
    total = len(job.executions)
    tone = "alarm" if failed else "ok" if done and done == total else "accent"
    width = 100 * (done + failed) / max(1, total)
    when = f" · {words.duration(now - job.created)} ago" if job.created is not None else ""
    trouble = f' · <span class="gb-alarm">{failed} failed</span>' if failed else ""
    name, number = markup.text(job.name, 60), markup.text(job.version, 24)
    return (
        f'<div class="gb-job" data-job="{markup.text(job.id, 80)}"'
        f' data-status="{markup.text(job.status, 30)}">'
        f'<div class="gb-event-top"><span class="gb-name">{name} {number}</span>'
        f"{job_status(job.status)}</div>"
        f'<div class="gb-track gb-{tone}"><span class="gb-fill" style="width:{width:.0f}%"></span>'
        f'</div><div class="gb-sub">{done} of {total} edges done{trouble}{when}</div>'
        f"{''.join(_execution(execution) for execution in job.executions)}</div>"
    )


def job_status(word: str) -> str:
    """AWS IoT's word for a job or an execution, as colour, icon and text."""
    shown = word.replace("_", " ").capitalize()
    if word in _DONE:
        return markup.status("ok", "check", shown)
    if word in _FAILED:
        return markup.status("alarm", "cross", shown)
    return markup.status("caution", "half", shown)


def _execution(execution: Execution) -> str:
    why = f'<div class="gb-sub">{markup.text(execution.reason)}</div>' if execution.reason else ""
    thing = markup.text(execution.thing, 64)
    return (
        f'<div class="gb-execution" data-thing="{thing}"'
        f' data-status="{markup.text(execution.status, 30)}">'
        f"<div><span>{thing}</span>{job_status(execution.status)}</div>{why}</div>"
    )
