"""Models and rollouts as HTML. What came from the cloud is escaped here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from gustbed_cloud.operations import Execution, Job, ModelVersion
from gustbed_dashboard import markup, naming, shadows, words
from gustbed_core.events import Comparison, ModelRef

JOBS_SHOWN = 8

_APPROVALS = {
    "PendingManualApproval": ("caution", "half", "Waits for approval"),
    "Approved": ("ok", "check", "Approved"),
    "Rejected": ("quiet", "cross", "Rejected"),
}
_ROLES = {
    "serve": '<span class="gb-chip gb-ok">serving</span>',
    "shadow": '<span class="gb-chip gb-violet">challenger</span>',
}
_DONE = {"SUCCEEDED", "COMPLETED"}
_FAILED = {"FAILED", "TIMED_OUT", "REJECTED", "CANCELED", "REMOVED", "DELETION_IN_PROGRESS"}


def version(model: ModelVersion, role: str, zone: tzinfo | None) -> str:
    """One row of the registry. ``role`` is what the edge does with it: serve, shadow or nothing."""
    tone, icon, word = _APPROVALS.get(model.status, ("quiet", "question", model.status))
    if model.role == "shadow":
        word = "Approved as challenger"
    number = markup.text(model.version, 24)
    detector = f" · {markup.text(model.detector, 40)}" if model.detector else ""
    gate = ""
    if model.gate.override:
        why = markup.text(f"Registered despite its quality gate: {model.gate.override}", 300)
        gate = f'<div class="gb-sub gb-caution" data-gate="{number}">{why}</div>'
    return (
        f'<div class="gb-model" data-model="{number}" data-approval="{markup.text(model.status)}"'
        f' data-role="{role}"><div class="gb-title"><span class="gb-version">{number}</span>'
        f"{markup.status(tone, icon, word)}{_ROLES.get(role, '')}</div>"
        f'<div class="gb-sub">{markup.text(model.name, 60)}{detector} · registered'
        f" {words.moment(model.created, zone)}</div>{gate}</div>"
    )


@dataclass(frozen=True, slots=True)
class Serving:
    """The models of one turbine type on this site, with their cards' key figures."""

    type: str
    turbines: int
    model: ModelRef | None
    figures: Mapping[str, str]
    challenger: Comparison | None


def serving(thing: str, rows: Sequence[Serving], update: str | None, *, alive: bool) -> str:
    """What the site's edge serves, by turbine type."""
    if not rows or not (alive or any(row.model for row in rows)):
        return '<div class="gb-empty">Waiting for the edge to say which model it serves…</div>'
    state = (
        markup.status("ok", "dot", "Serving")
        if alive
        else markup.status("quiet", "question", "Edge not heard")
    )
    doing = f'<div class="gb-sub gb-caution">Update: {markup.text(update)}</div>' if update else ""
    body = "".join(_serving(row, thing, state) for row in rows)
    return f'<div class="gb-servings">{body}</div>{doing}'


def _serving(row: Serving, thing: str, state: str) -> str:
    count = f"{row.turbines} turbine{'' if row.turbines == 1 else 's'}"
    head = f"{markup.text(naming.type_words(row.type), 60)} · {count}"
    if row.model is None:
        state = markup.status("violet", "question", "No model")
        what, name = words.NOTHING, "these turbines get no verdict until a model serves their type"
    else:
        what, name = markup.text(row.model.version, 24), markup.text(row.model.name, 60)
        name = f"{name} on {markup.text(thing, 64)}"
    beside = ""
    if row.challenger is not None:
        version = markup.text(row.challenger.model.version, 24)
        beside = f'<span class="gb-chip gb-violet">challenger {version}</span>'
    return (
        f'<div class="gb-panel gb-pad gb-serving" data-type="{markup.text(row.type, 64)}">'
        f'<div class="gb-label">{head}</div>'
        f'<div class="gb-title"><span class="gb-version">{what}</span>{state}{beside}</div>'
        f'<div class="gb-sub">{name}</div>{shadows.tiles(row.figures)}</div>'
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
    beside = _ROLES["shadow"] if job.role == "shadow" else ""
    return (
        f'<div class="gb-job" data-job="{markup.text(job.id, 80)}"'
        f' data-status="{markup.text(job.status, 30)}">'
        f'<div class="gb-event-top"><span class="gb-name">{name} {number}</span>{beside}'
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
