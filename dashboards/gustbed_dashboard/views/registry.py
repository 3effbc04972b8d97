"""The registry's versions: what each is, its card, and what an operator may decide about it."""

import streamlit as st

from gustbed_core.events import ModelRef
from gustbed_core.package import version_key
from gustbed_dashboard import labels
from gustbed_dashboard.cloud.client import ModelVersion
from gustbed_dashboard.cloud.reader import Action, CloudReader, CloudView, Decision
from gustbed_dashboard.components import model_panels
from gustbed_dashboard.components.html import macro, short
from gustbed_dashboard.components.model_comparison import figure_tiles
from gustbed_dashboard.components.model_metrics import key_figures
from gustbed_dashboard.site.snapshot import SiteSnapshot
from gustbed_dashboard.views import resources
from gustbed_dashboard.views.page_elements import document, draw, empty, note, section

VERSIONS_SHOWN = 12
"""Of each model, the newest."""

_QUESTIONS: dict[Action, str] = {
    "serve": "Roll {version} out to every edge?",
    "shadow": "Run {version} beside the serving model on every edge, to be compared with it?",
    "promote": "Let {version} take over on every edge?",
    "reject": "Reject {version}?",
}
_ROLLBACK = "Replace the newer version by {version} on every edge?"


def registry(view: CloudView, reader: CloudReader, site: SiteSnapshot) -> None:
    """Every model's versions."""
    if not view.models:
        empty(_empty(view))
        return
    by_name: dict[str, list[ModelVersion]] = {}
    for model in view.models:
        by_name.setdefault(model.name, []).append(model)
    for name, versions in by_name.items():
        if len(by_name) > 1:
            type_name = next((model.turbine_type for model in versions), "")
            section(name, labels.type_label(site.catalog.get(type_name)))
        for model in versions[:VERSIONS_SHOWN]:
            _row(model, view, reader, site)
        if len(versions) > VERSIONS_SHOWN:
            note(f"and {len(versions) - VERSIONS_SHOWN} older")


def _empty(view: CloudView) -> str:
    if view.problem is not None:
        return "The registry cannot be read now. The fleet goes on without it."
    if view.asked is None:
        return "Asking the registry…"
    return "No version yet: `gustbed model train` makes one, `gustbed model register` adds it."


def _row(model: ModelVersion, view: CloudView, reader: CloudReader, site: SiteSnapshot) -> None:
    with st.container(border=True, key=f"panel-model-{model.name}-{_css(model.version)}"):
        draw(model_panels.version(model, role_here(model, site), resources.viewer_zone()))
        _decide(model, _newest(model.name, view, site), view, reader)
        card = st.expander("Model card", key=f"card-{model.arn}", on_change="rerun")
        if card.open:
            with card:
                model_card(model, reader)


def role_here(model: ModelVersion, site: SiteSnapshot) -> str:
    """What this site's edge does with a version now: ``serve``, ``shadow`` or nothing."""
    ref = ModelRef(model.name, model.version)
    if not site.edge_alive:
        return ""
    if ref in site.models.values():
        return "serve"
    return "shadow" if any(ref == c.model for c in site.shadow_models.values()) else ""


def _newest(name: str, view: CloudView, site: SiteSnapshot) -> str | None:
    """The version of a model that serves: as the edge says, else as was approved last."""
    if site.edge_alive:
        served = [model.version for model in site.models.values() if model.name == name]
    else:
        served = [m.version for m in view.models if m.name == name and m.role == "serve"]
    return max(served, key=version_key, default=None)


def _css(version: str) -> str:
    return version.replace(".", "-")


def model_card(model: ModelVersion, reader: CloudReader) -> None:
    """A version's key figures and its card as it was written."""
    card = reader.card(model.name, model.version)
    if card.text is not None:
        draw(figure_tiles(key_figures(model.metrics, card.text)) or "<div></div>")
        document(f"{model.name}-{_css(model.version)}", card.text)
    elif card.problem is not None:
        draw(macro("banner", "caution", card.problem))
    else:
        note("Reading the card…")


def _decide(model: ModelVersion, newest: str | None, view: CloudView, reader: CloudReader) -> None:
    pending = f"decision-{model.arn}"
    wish: Decision | None = st.session_state.get(pending)
    if model.arn in view.deciding:
        note("Sending the decision…")
    elif wish is not None:
        _confirm(wish, pending, reader)
    else:
        _ask(model, newest, pending)


def _ask(model: ModelVersion, newest: str | None, pending: str) -> None:
    choices = choices_of(model, newest)
    if not choices:
        return
    fresh = model.status == "PendingManualApproval" or model.role == "shadow"
    with st.container(horizontal=True, gap="small"):
        for place, (label, decision) in enumerate(choices):
            st.button(
                label,
                type="primary" if place == 0 and fresh else "secondary",
                key=f"{decision.action}-{model.arn}",
                on_click=_wish,
                args=(pending, decision),
            )


def choices_of(model: ModelVersion, newest: str | None) -> list[tuple[str, Decision]]:
    """What may be decided about a version, the most likely first: label and decision.

    ``newest`` is the version of this model that serves.
    """
    older = newest is not None and version_key(model.version) < version_key(newest)
    if model.role == "shadow":
        # Edges take an older version only as a rollback, and nobody compares one to roll back.
        return [] if older else [("Promote to serving", Decision(model, "promote"))]
    back = ("Roll back to it", Decision(model, "serve", rollback=True))
    if model.role == "serve":
        # Approved, and yet an older one serves: after a rollback, or an update that failed.
        newer = newest is not None and version_key(model.version) > version_key(newest)
        again = [("Roll out again", Decision(model, "serve"))] if newer else []
        return [back] if older else again
    found = [back if older else ("Approve as serving", Decision(model, "serve"))]
    found.append(("Approve as shadow model", Decision(model, "shadow")))
    if model.status == "PendingManualApproval":
        found.append(("Reject", Decision(model, "reject")))
    return found


def _confirm(wish: Decision, pending: str, reader: CloudReader) -> None:
    version = short(wish.model.version, 24)
    question = (_ROLLBACK if wish.rollback else _QUESTIONS[wish.action]).format(version=version)
    draw(macro("question", version, question))
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Yes",
            type="primary",
            key=f"yes-{wish.model.arn}",
            on_click=_send,
            args=(pending, wish, reader),
        )
        st.button("No", key=f"no-{wish.model.arn}", on_click=_wish, args=(pending, None))


def _wish(pending: str, wish: Decision | None) -> None:
    st.session_state[pending] = wish


def _send(pending: str, wish: Decision, reader: CloudReader) -> None:
    reader.decide(wish)
    _wish(pending, None)
