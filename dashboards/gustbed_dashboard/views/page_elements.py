"""Pieces that several pages draw."""

from collections.abc import Iterable

import streamlit as st

from gustbed_dashboard import formatting
from gustbed_dashboard.components import html
from gustbed_dashboard.components.model_metrics import safe_card
from gustbed_dashboard.site.snapshot import SiteSnapshot


def draw(html: str) -> None:
    """Put a fragment on the page; the browser updates it in place."""
    st.markdown(html, unsafe_allow_html=True)


def banners(lines: Iterable[tuple[str, str]]) -> None:
    """Tone and text of each problem; always one element, so that nothing below it is redrawn."""
    body = "".join(html.banner(tone, line) for tone, line in lines)
    draw(f'<div class="gb-banners">{body}</div>')


def problems(site: SiteSnapshot) -> list[tuple[str, str]]:
    """What keeps the site from being seen whole, the mend in the same line."""
    if site.broker is not None:
        return [("alarm", f"{formatting.sentence(site.broker)} Reconnecting by itself.")]
    found: list[tuple[str, str]] = []
    if not site.edge_alive:
        since = (
            f"silent for {formatting.duration(site.now - site.edge_seen)}"
            if site.edge_seen is not None
            else "not heard yet"
        )
        found.append(
            ("alarm", f"Waiting for the edge ({since}): is it running? `gustbed status` tells.")
        )
    if site.twin == "offline":
        found.append(("caution", "The twin is offline: no turbine moves until it is started."))
    if site.edge_alive and not site.cloud_connected:
        found.append(
            (
                "caution",
                "The cloud link is down. Verdicts and events wait on the edge's disk"
                f" ({site.buffered} messages) and follow by themselves.",
            )
        )
    return found


def document(key: str, card: str) -> None:
    """A model card as it was written. ``key`` is unique on the page."""
    if not card.strip():
        draw('<div class="gb-empty">The package holds an empty model card.</div>')
        return
    # The card is a document of its own: Markdown, and no HTML of it is believed.
    with st.container(key=f"document-{key}"):
        st.markdown(safe_card(card), anchors=False)
