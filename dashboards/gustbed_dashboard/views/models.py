"""The model registry and the rollouts."""

import streamlit as st

from gustbed_dashboard import markup, resources, words
from gustbed_dashboard.cloud import CloudReader, CloudView, Execution, Job, ModelVersion
from gustbed_dashboard.views.common import banners, draw
from gustbed_protocol.events import ModelRef

JOBS_SHOWN = 8
VERSIONS_SHOWN = 20

_APPROVALS = {
    "pending": ("caution", "half", "Waits for approval"),
    "approved": ("ok", "check", "Approved"),
    "rejected": ("quiet", "cross", "Rejected"),
}
_DONE = {"SUCCEEDED", "COMPLETED"}
_FAILED = {"FAILED", "TIMED_OUT", "REJECTED", "CANCELED", "REMOVED", "DELETION_IN_PROGRESS"}


def page() -> None:
    """The models page."""
    _live()


@st.fragment(run_every=1)
def _live() -> None:
    site = resources.hub().snapshot()
    reader = resources.cloud()
    view = reader.watch()
    banners(_problems(view, reader))
    left, right = st.columns([1.25, 1], gap="large")
    with left:
        draw(markup.section("Registry", _asked(view, site.now)))
        _registry(view, reader, site.model if site.edge_alive else None)
    with right:
        draw(markup.section("Serving now"))
        draw(_serving(site.thing, site.model, site.update, site.edge_alive))
        draw(markup.section("Rollouts"))
        draw(_rollouts(view, site.now))


def _problems(view: CloudView, reader: CloudReader) -> list[tuple[str, str]]:
    found = []
    if view.problem is not None:
        old = " What is shown is older." if view.asked is not None else ""
        found.append(("caution", f"{view.problem}. Trying again by itself.{old}"))
    if reader.outcome is not None:
        found.append(("alarm", f"The decision did not go through. {reader.outcome}"))
    return found


def _asked(view: CloudView, now: float) -> str:
    if view.asked is None:
        return ""
    return f"as of {words.duration(now - view.asked)} ago" if now - view.asked > 15 else ""


def _registry(view: CloudView, reader: CloudReader, serving: ModelRef | None) -> None:
    if not view.models:
        line = (
            "Asking the registry…"
            if view.asked is None and view.problem is None
            else "No version known. `gustbed model train` and `gustbed model register` add one."
        )
        draw(f'<div class="gb-empty">{markup.text(line)}</div>')
        return
    for model in view.models[:VERSIONS_SHOWN]:
        with st.container(border=True, key=f"model-{_safe(model.key)}"):
            text, buttons = st.columns([2.2, 1.3], vertical_alignment="center")
            with text:
                draw(_version(model, serving))
            with buttons:
                _decision(model, reader)


def _safe(key: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in key)[-80:]


def _version(model: ModelVersion, serving: ModelRef | None) -> str:
    tone, icon, word = _APPROVALS[model.approval]
    here = serving is not None and (serving.name, serving.version) == (model.name, model.version)
    on_edge = f'<span class="gb-chip gb-ok">{"serving on the edge"}</span>' if here else ""
    metrics = " · ".join(
        f"{markup.text(name, 30)} {words.number(value, 3)}"
        for name, value in list(model.metrics.items())[:4]
    )
    note = markup.text(model.note, 160) if model.note else ""
    details = " · ".join(part for part in (note, metrics) if part)
    return (
        f'<div data-model="{markup.text(model.version, 24)}" data-approval="{model.approval}">'
        f'<div class="gb-title"><span class="gb-version">{markup.text(model.version, 24)}</span>'
        f"{markup.status(tone, icon, word)}{on_edge}</div>"
        f'<div class="gb-sub">{markup.text(model.name, 60)}{" · " + details if details else ""}'
        "</div></div>"
    )


def _decision(model: ModelVersion, reader: CloudReader) -> None:
    asked = f"confirm-{model.key}"
    if model.key in reader.deciding:
        draw('<div class="gb-sub">Sending the decision…</div>')
        return
    wish = st.session_state.get(asked)
    if wish is not None:
        _confirm(model, reader, asked, wish == "approve")
        return
    approve, reject = st.columns(2)
    if model.approval != "approved":
        approve.button(
            "Approve",
            type="primary" if model.approval == "pending" else "secondary",
            key=f"approve-{model.key}",
            width="stretch",
            on_click=_wish,
            args=(asked, "approve"),
        )
    if model.approval != "rejected":
        reject.button(
            "Reject",
            key=f"reject-{model.key}",
            width="stretch",
            on_click=_wish,
            args=(asked, "reject"),
        )


def _confirm(model: ModelVersion, reader: CloudReader, asked: str, approve: bool) -> None:
    question = f"Roll {model.version} out to every edge?" if approve else f"Reject {model.version}?"
    draw(
        f'<div class="gb-sub" data-confirm="{markup.text(model.version, 24)}">'
        f"{markup.text(question)}</div>"
    )
    yes, no = st.columns(2)
    if yes.button("Yes", type="primary", key=f"yes-{model.key}", width="stretch"):
        reader.decide(model, approve)
        _wish(asked, None)
        st.rerun(scope="fragment")
    no.button("No", key=f"no-{model.key}", width="stretch", on_click=_wish, args=(asked, None))


def _wish(asked: str, what: str | None) -> None:
    if what is None:
        st.session_state.pop(asked, None)
    else:
        st.session_state[asked] = what


def _serving(thing: str, model: ModelRef | None, update: str | None, alive: bool) -> str:
    if model is None:
        return '<div class="gb-empty">Waiting for the edge to say which model it serves…</div>'
    state = (
        markup.status("ok", "dot", "Serving")
        if alive
        else markup.status("quiet", "question", "Not heard")
    )
    doing = f'<div class="gb-sub">update: {markup.text(update)}</div>' if update else ""
    return (
        '<div class="gb-panel gb-pad"><div class="gb-title">'
        f'<span class="gb-version">{markup.text(model.version, 24)}</span>{state}</div>'
        f'<div class="gb-sub">{markup.text(model.name, 60)} on {markup.text(thing, 64)}</div>'
        f"{doing}</div>"
    )


def _rollouts(view: CloudView, now: float) -> str:
    if not view.jobs:
        return (
            '<div class="gb-empty">No rollout yet. Approving a version packages it, signs it'
            " and sends a job to every edge.</div>"
        )
    return (
        '<div class="gb-panel">'
        + "".join(_job(job, now) for job in view.jobs[:JOBS_SHOWN])
        + "</div>"
    )


def _job(job: Job, now: float) -> str:
    done = sum(e.status in _DONE for e in job.executions)
    failed = sum(e.status in _FAILED for e in job.executions)
    total = max(1, len(job.executions))
    tone = "alarm" if failed else "ok" if done == len(job.executions) and done else "accent"
    lines = "".join(_execution(e) for e in job.executions)
    when = f" · {words.duration(now - job.created)} ago" if job.created is not None else ""
    return (
        f'<div class="gb-job" data-job="{markup.text(job.id, 80)}"'
        f' data-status="{markup.text(job.status, 30)}">'
        f'<div class="gb-event-top"><span class="gb-name">{markup.text(job.model, 60)}'
        f" {markup.text(job.version, 24)}</span>{_job_status(job.status)}</div>"
        f'<div class="gb-track gb-{tone}"><span class="gb-fill"'
        f' style="width:{100 * (done + failed) / total:.0f}%"></span></div>'
        f'<div class="gb-sub">{done} of {len(job.executions)} edges done{when}</div>{lines}</div>'
    )


def _job_status(word: str) -> str:
    shown = word.replace("_", " ").capitalize()
    if word in _DONE:
        return markup.status("ok", "check", shown)
    if word in _FAILED:
        return markup.status("alarm", "cross", shown)
    return markup.status("caution", "half", shown)


def _execution(execution: Execution) -> str:
    why = f'<div class="gb-sub">{markup.text(execution.reason)}</div>' if execution.reason else ""
    return (
        f'<div class="gb-execution" data-thing="{markup.text(execution.thing, 64)}"'
        f' data-status="{markup.text(execution.status, 30)}">'
        f"<div><span>{markup.text(execution.thing, 64)}</span>{_job_status(execution.status)}</div>"
        f"{why}</div>"
    )
