"""The models page: what serves, what runs in shadow beside it, the registry, rollouts and drift."""

from collections.abc import Mapping

import streamlit as st

from gustbed_core.edge_http import ModelInfo
from gustbed_core.events import ModelRef
from gustbed_core.naming import natural
from gustbed_dashboard import formatting
from gustbed_dashboard.cloud.reader import CloudReader, CloudView
from gustbed_dashboard.components import drift_panel, model_panels, site_models
from gustbed_dashboard.components.model_metrics import FIGURES, key_figures
from gustbed_dashboard.components.model_panels import Serving
from gustbed_dashboard.site.client import SiteClient
from gustbed_dashboard.site.snapshot import SiteSnapshot
from gustbed_dashboard.views import resources
from gustbed_dashboard.views.comparison import comparison
from gustbed_dashboard.views.page_elements import banners, document, draw, note, section
from gustbed_dashboard.views.registry import registry
from gustbed_dashboard.views.site_picker import ChosenSite

STALE_SECONDS = 15.0
TURBINES_NAMED = 24


def page(chosen: ChosenSite) -> None:
    """The models page: what a site's edge runs, and what is the whole fleet's."""
    _live(chosen)


@st.fragment(run_every=1)
def _live(chosen: ChosenSite) -> None:
    client = chosen.client()
    site = client.snapshot()
    reader = resources.cloud()
    view = reader.watch()
    drift = resources.drift().watch()
    banners([*_problems(view), *(("caution", problem) for problem in drift.problems)])

    def figures_of(model: ModelRef) -> dict[str, str]:
        return _figures(model, client.model_info(model), view, reader)

    figures = {name: figures_of(model) for name, model in site.models.items()}
    section(
        "Serving now", f"at {site.site}, by turbine type" if chosen.query else "by turbine type"
    )
    rows = _serving(site, figures, client)
    draw(model_panels.serving(site.thing, rows, site.update, alive=site.edge_alive))
    _cards(site, client)
    _everywhere(site)
    for name, shadowed in site.shadow_models.items():
        both = (figures.get(name, {}), figures_of(shadowed.model))
        comparison(site.catalog.get(name), shadowed, site, client, both)
    left, right = st.columns([1.25, 1], gap="large")
    with left:
        section("Registry", _asked(view, site.now))
        registry(view, reader, site)
    with right:
        section("Rollouts")
        draw(model_panels.rollouts(view.jobs, site.now))
        section("Drift", "the site's data beside training's")
        draw(drift_panel.drift_reports(drift.reports, site.catalog.get, site.now))


def _serving(
    site: SiteSnapshot, figures: dict[str, dict[str, str]], client: SiteClient
) -> list[Serving]:
    def corrections(model: ModelRef | None) -> int:
        info = client.model_info(model) if model is not None else None
        return len(info.corrections) if info is not None else 0

    return [
        Serving(
            each,
            sum(turbine.type.name == each.name for turbine in site.turbines),
            site.models.get(each.name),
            figures.get(each.name, {}),
            site.shadow_models.get(each.name),
            corrections(site.models.get(each.name)),
        )
        for each in site.types
    ]


def _everywhere(site: SiteSnapshot) -> None:
    """What each site's edge runs, where there are several: one decision is for all of them."""
    glances = {name: each.glance() for name, each in resources.sites().clients.items()}
    if len(glances) > 1:
        section("Every site", "what each edge runs, by turbine type")
        draw(site_models.site_models(glances, site.site, site.catalog.get))


def _cards(site: SiteSnapshot, client: SiteClient) -> None:
    """Of the models that serve, as the edge tells them: the factory's are in no registry."""
    for name, model in site.models.items():
        info = client.model_info(model)
        if info is None:
            continue
        card = st.expander(
            f"Model card of {model.name} {model.version}",
            key=f"serving-{site.site}-{name}",
            on_change="rerun",
        )
        if card.open:
            with card:
                document(f"serving-{name}", info.card)
                if info.corrections:
                    note(corrected(info.corrections))


def corrected(corrections: Mapping[str, str]) -> str:
    """Which turbines a model is corrected for, and by what."""
    named = [f"{turbine} `{corrections[turbine]}`" for turbine in sorted(corrections, key=natural)]
    more = f" and {len(named) - TURBINES_NAMED} more" if len(named) > TURBINES_NAMED else ""
    return f"Corrected for {', '.join(named[:TURBINES_NAMED])}{more}."


def _figures(
    model: ModelRef, info: ModelInfo | None, view: CloudView, reader: CloudReader
) -> dict[str, str]:
    """From the edge that runs it, or else from the registry.

    There the card is read only where the metrics do not tell them all.
    """
    if info is not None:
        return key_figures(info.metrics, info.card)
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
        found.append(
            ("caution", f"{formatting.sentence(view.problem)} Trying again by itself.{old}")
        )
    if view.refusal is not None:
        found.append(
            ("alarm", f"The decision did not go through: {formatting.sentence(view.refusal)}")
        )
    return found


def _asked(view: CloudView, now: float) -> str:
    if view.asked is None or now - view.asked < STALE_SECONDS:
        return ""
    return f"as of {formatting.duration(now - view.asked)} ago"
