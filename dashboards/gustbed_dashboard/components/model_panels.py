"""Models and rollouts as HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from gustbed_core.events import Comparison, ModelRef
from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard.cloud.client import Job, ModelVersion
from gustbed_dashboard.components.html import render
from gustbed_dashboard.components.model_metrics import FIGURES

JOBS_SHOWN = 8

_APPROVALS = {
    "PendingManualApproval": ("caution", "half", "Waits for approval"),
    "Approved": ("ok", "check", "Approved"),
    "Rejected": ("quiet", "cross", "Rejected"),
}
_DONE = ("SUCCEEDED", "COMPLETED")
_FAILED = ("FAILED", "TIMED_OUT", "REJECTED", "CANCELED", "REMOVED", "DELETION_IN_PROGRESS")


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
    """The models of one turbine type on this site, with their cards' key figures."""

    type: TurbineType
    turbines: int
    model: ModelRef | None
    figures: Mapping[str, str]
    shadow: Comparison | None


def serving(thing: str, rows: Sequence[Serving], update: str | None, *, alive: bool) -> str:
    """What the site's edge serves, by turbine type."""
    known = rows if alive or any(row.model for row in rows) else ()
    tiled = [(row, [f for f in FIGURES if f.key in row.figures]) for row in known]
    return render("serving", thing=thing, rows=tiled, update=update, alive=alive)


def rollouts(jobs: Sequence[Job], now: float) -> str:
    """Rollouts with their progress on every edge."""
    return render("rollouts", jobs=jobs[:JOBS_SHOWN], now=now, done=_DONE, failed=_FAILED)
