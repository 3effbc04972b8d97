"""The models page: what serves, what challenges it, the registry, rollouts and drift."""

import streamlit as st

from gustbed_dashboard import driftmarkup, markup, resources, rollouts, words
from gustbed_dashboard.cloud import CloudReader, CloudView
from gustbed_dashboard.figures import FIGURES, key_figures
from gustbed_dashboard.hub import Hub
from gustbed_dashboard.rollouts import Serving
from gustbed_dashboard.snapshot import SiteSnapshot
from gustbed_dashboard.views.common import banners, document, draw
from gustbed_dashboard.views.comparison import comparison
from gustbed_dashboard.views.registry import registry
from gustbed_core.edge_http import ModelInfo
from gustbed_core.events import ModelRef

STALE_SECONDS = 15.0


def page() -> None:
    """The models page."""
    _live()


@st.fragment(run_every=1)
def _live() -> None:
    hub = resources.hub()
    site = hub.snapshot()
    reader = resources.cloud()
    view = reader.watch()
    drift = resources.drift().watch()
    banners([*_problems(view), *(("caution", problem) for problem in drift.problems)])

    def figures_of(model: ModelRef) -> dict[str, str]:
        return _figures(model, hub.told_of(model), view, reader)

    figures = {kind: figures_of(model) for kind, model in site.models.items()}
    draw(markup.section("Serving now", "by turbine type"))
    rows = _serving(site, figures)
    draw(rollouts.serving(site.thing, rows, site.update, alive=site.edge_alive))
    _cards(site, hub)
    for kind, shadowed in site.challengers.items():
        both = (figures.get(kind, {}), figures_of(shadowed.model))
        comparison(kind, shadowed, site, hub, both)
    left, right = st.columns([1.25, 1], gap="large")
    with left:
        draw(markup.section("Registry", _asked(view, site.now)))
        registry(view, reader, site)
    with right:
        draw(markup.section("Rollouts"))
        draw(rollouts.table(view.jobs, site.now))
        draw(markup.section("Drift", "the site's data beside training's"))
        draw(driftmarkup.reports(drift.reports, site.now))


def _serving(site: SiteSnapshot, figures: dict[str, dict[str, str]]) -> list[Serving]:
    return [
        Serving(
            kind,
            sum(turbine.type == kind for turbine in site.turbines),
            site.models.get(kind),
            figures.get(kind, {}),
            site.challengers.get(kind),
        )
        for kind in site.types
    ]


def _cards(site: SiteSnapshot, hub: Hub) -> None:
    """Of the models that serve, as the edge tells them: the factory's are in no registry."""
    for kind, model in site.models.items():
        told = hub.told_of(model)
        if told is None:
            continue
        card = st.expander(
            f"Model card of {model.name} {model.version}", key=f"serving-{kind}", on_change="rerun"
        )
        if card.open:
            with card:
                document(f"serving-{kind}", told.card)


def _figures(
    model: ModelRef, told: ModelInfo | None, view: CloudView, reader: CloudReader
) -> dict[str, str]:
    """From the edge that runs it, or else from the registry.

    There the card is read only where the metrics do not tell them all.
    """
    if told is not None:
        return key_figures(told.metrics, told.card)
    for known in view.models:
        if (known.name, known.version) == (model.name, model.version):
            figures = key_figures(known.metrics, None)
            if len(figures) == len(FIGURES):
                return figures
            return key_figures(known.metrics, reader.card(model.name, model.version).text)
    return {}


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
