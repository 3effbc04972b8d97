"""The model registry, its approvals and the rollouts."""

import streamlit as st

from gustbed_cloud.operations import ModelVersion
from gustbed_dashboard import markup, resources, rollouts, words
from gustbed_dashboard.cloud import CloudReader, CloudView, Decision
from gustbed_dashboard.views.common import banners, draw
from gustbed_protocol.events import ModelRef
from gustbed_protocol.package import version_key

VERSIONS_SHOWN = 20
STALE_SECONDS = 15.0


def page() -> None:
    """The models page."""
    _live()


@st.fragment(run_every=1)
def _live() -> None:
    site = resources.hub().snapshot()
    reader = resources.cloud()
    view = reader.watch()
    banners(_problems(view))
    left, right = st.columns([1.25, 1], gap="large")
    with left:
        draw(markup.section("Registry", _asked(view, site.now)))
        _registry(view, reader, site.model if site.edge_alive else None)
    with right:
        draw(markup.section("Serving now"))
        draw(rollouts.serving(site.thing, site.model, site.update, alive=site.edge_alive))
        draw(markup.section("Rollouts"))
        draw(rollouts.table(view.jobs, site.now))


def _problems(view: CloudView) -> list[tuple[str, str]]:
    found = []
    if view.problem is not None:
        old = " What is shown is older." if view.asked is not None else ""
        found.append(("caution", f"{words.sentence(view.problem)} Trying again by itself.{old}"))
    if view.refusal is not None:
        found.append(("alarm", f"The decision did not go through: {words.sentence(view.refusal)}"))
    return found


def _asked(view: CloudView, now: float) -> str:
    if view.asked is None or now - view.asked < STALE_SECONDS:
        return ""
    return f"as of {words.duration(now - view.asked)} ago"


def _registry(view: CloudView, reader: CloudReader, serving: ModelRef | None) -> None:
    if not view.models:
        if view.problem is not None:
            line = "The registry cannot be read now. The fleet goes on without it."
        elif view.asked is None:
            line = "Asking the registry…"
        else:
            line = (
                "No version yet: `gustbed model train` makes one, `gustbed model register` adds it."
            )
        draw(f'<div class="gb-empty">{markup.text(line)}</div>')
        return
    for model in view.models[:VERSIONS_SHOWN]:
        with st.container(border=True, key=f"panel-model-{model.name}-{_css(model.version)}"):
            told, asked = st.columns([2, 1.5], vertical_alignment="center")
            with told:
                draw(rollouts.version(model, serving, resources.viewer_zone()))
            with asked:
                _decide(model, serving, view, reader)


def _css(version: str) -> str:
    return version.replace(".", "-")


def _decide(
    model: ModelVersion, serving: ModelRef | None, view: CloudView, reader: CloudReader
) -> None:
    pending = f"decision-{model.arn}"
    wish: Decision | None = st.session_state.get(pending)
    if model.arn in view.deciding:
        draw('<div class="gb-sub">Sending the decision…</div>')
    elif wish is not None:
        _confirm(wish, pending, reader)
    else:
        _ask(model, serving, pending)


def _ask(model: ModelVersion, serving: ModelRef | None, pending: str) -> None:
    same = serving is not None and serving.name == model.name
    is_serving = same and serving is not None and serving.version == model.version
    rollback = (
        same and serving is not None and version_key(model.version) < version_key(serving.version)
    )
    first, second = st.columns(2)
    if not is_serving:
        again = "Roll out again" if model.status == "Approved" else "Approve"
        first.button(
            "Roll back" if rollback else again,
            type="primary" if model.status == "PendingManualApproval" else "secondary",
            key=f"approve-{model.arn}",
            width="stretch",
            on_click=_wish,
            args=(pending, Decision(model, approve=True, rollback=rollback)),
        )
    if model.status == "PendingManualApproval":
        second.button(
            "Reject",
            key=f"reject-{model.arn}",
            width="stretch",
            on_click=_wish,
            args=(pending, Decision(model, approve=False)),
        )


def _confirm(wish: Decision, pending: str, reader: CloudReader) -> None:
    version = markup.text(wish.model.version, 24)
    if not wish.approve:
        question = f"Reject {version}?"
    elif wish.rollback:
        question = f"Replace the newer version by {version} on every edge?"
    else:
        question = f"Roll {version} out to every edge?"
    draw(f'<div class="gb-question" data-confirm="{version}">{question}</div>')
    yes, no = st.columns(2)
    yes.button(
        "Yes",
        type="primary",
        key=f"yes-{wish.model.arn}",
        width="stretch",
        on_click=_send,
        args=(pending, wish, reader),
    )
    no.button(
        "No", key=f"no-{wish.model.arn}", width="stretch", on_click=_wish, args=(pending, None)
    )


def _wish(pending: str, wish: Decision | None) -> None:
    st.session_state[pending] = wish


def _send(pending: str, wish: Decision, reader: CloudReader) -> None:
    reader.decide(wish)
    _wish(pending, None)
