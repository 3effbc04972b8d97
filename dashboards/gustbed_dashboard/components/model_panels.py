"""Models and rollouts as HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from gustbed_core.events import Comparison, ModelRef
from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard.cloud.client import Job, ModelVersion, explain
from gustbed_dashboard.components.html import render
from gustbed_dashboard.components.model_metrics import FIGURES

JOBS_SHOWN = 8

_APPROVALS = {
    "PendingManualApproval": ("caution", "half", "Waits for approval"),
    "Approved": ("ok", "check", "Approved"),
    "Rejected": ("quiet", "cross", "Rejected"),
}
_DONE = ("SUCCEEDED", "COMPLETED")
_STOPPED = ("CANCELED", "DELETION_IN_PROGRESS")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a rollout went: tone, icon, words, and what says which edges failed and why."""

    tone: str
    icon: str
    word: str
    why: str = ""


def version(model: ModelVersion, role: str, zone: tzinfo | None) -> str:
    """One row of the registry. ``role`` is what the edge does with it: serve, shadow or nothing."""
    tone, icon, word = _APPROVALS.get(model.status, ("quiet", "question", model.status))
    if model.role == "shadow":
        word = "Approved as shadow model"
    return render(
        "model_version", model=model, role=role, zone=zone, tone=tone, icon_name=icon, word=word
    )


@dataclass(frozen=True, slots=True)
class Serving:
    """The models of one turbine type on this site, with their cards' key figures.

    ``corrections`` counts the turbines that are judged by a correction of their own.
    """

    type: TurbineType
    turbines: int
    model: ModelRef | None
    figures: Mapping[str, str]
    shadow: Comparison | None
    corrections: int = 0


def serving(thing: str, rows: Sequence[Serving], update: str | None, *, alive: bool) -> str:
    """What the site's edge serves, by turbine type."""
    known = rows if alive or any(row.model for row in rows) else ()
    tiled = [(row, [f for f in FIGURES if f.key in row.figures]) for row in known]
    return render("serving", thing=thing, rows=tiled, update=update, alive=alive)


def rollouts(jobs: Sequence[Job], now: float) -> str:
    """Rollouts with their progress on every edge."""
    shown = [(job, outcome(job)) for job in jobs[:JOBS_SHOWN]]
    return render("rollouts", jobs=shown, now=now, done=_DONE, explain=explain)


def outcome(job: Job) -> Outcome:
    """What AWS calls completed has only ended: it may have failed everywhere."""
    total = len(job.executions)
    broken = [execution for execution in job.executions if execution.failed]
    if broken:
        word = "Failed" if len(broken) == total else f"Failed on {len(broken)} of {total}"
        # One that said why tells more than those that were cancelled because of it.
        first = min(broken, key=lambda execution: execution.status == "CANCELED")
        why, more = f"{first.thing}: {explain(first) or words(first.status)}", len(broken) - 1
        return Outcome("alarm", "cross", word, f"{why} (and {more} more)" if more else why)
    if job.status in _STOPPED:
        return Outcome("alarm", "cross", words(job.status))
    if job.status in _DONE:
        if not total:
            return Outcome("caution", "question", "Reached no edge")
        return Outcome("ok", "check", words(job.status))
    return Outcome("caution", "half", words(job.status))


def words(status: str) -> str:
    """A status of AWS as words: ``Timed out``."""
    return status.replace("_", " ").capitalize()
