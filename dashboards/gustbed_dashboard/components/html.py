"""Page fragments from Jinja2 templates, which escape whatever came over the network.

Every fragment is one line that starts with a tag: Streamlit then takes it as raw HTML, and the
browser keeps the elements between updates, so nothing flickers.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from gustbed_core.mirror import is_mirrors
from gustbed_dashboard import formatting, labels
from gustbed_dashboard.components import svg
from gustbed_dashboard.components.theme import LOOKS


def render(template: str, **values: object) -> str:
    """A template of ``templates`` as one line of HTML."""
    return _one_line(_environment().get_template(f"{template}.html").render(values))


def macro(name: str, *arguments: object) -> str:
    """A macro of ``templates/macros.html``: ``section``, ``banner``, ``chips``, …"""
    made: Any = getattr(_macros(), name)
    return _one_line(made(*arguments))


def box(css: str, line: str) -> str:
    """A line of text in a box of a class."""
    return macro("box", css, line)


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("gustbed_dashboard", "components/templates"),
        autoescape=True,
        auto_reload=False,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters |= {
        "short": short,
        "address": address,
        "prose": prose,
        "compress": compress,
        "number": formatting.number,
        "count": formatting.count,
        "percent": formatting.percent,
        "duration": formatting.duration,
        "stamp": formatting.stamp,
        "moment": formatting.moment,
        "label": labels.label,
        "phrase": labels.phrase,
        "unit": labels.unit,
        "kind_label": labels.kind_label,
        "type_label": labels.type_label,
    }
    made.tests["mirrors"] = is_mirrors
    made.globals |= {
        "icon": svg.icon,
        "rotor": svg.rotor,
        "sparkline": svg.sparkline,
        "LOOKS": LOOKS,
        "MAX_NAME": labels.MAX_NAME,
        "NOTHING": formatting.NOTHING,
    }
    return made


@functools.cache
def _macros() -> object:
    return _environment().get_template("macros.html").module


def _one_line(rendered: str) -> str:
    return "".join(line.strip() for line in rendered.splitlines())


def address(turbine: str, query: Mapping[str, str]) -> str:
    """Where a turbine's page is, from any page; ``query`` is what else the address keeps."""
    return f"turbine?{urlencode({**query, 'turbine': turbine}, quote_via=quote, safe='')}"


def short(value: object, limit: int = 200) -> str:
    """Anything as one line of bounded length."""
    line = " ".join(str(value).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def prose(line: str) -> Markup:
    """Text whose `` `words` `` are shown as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(line))))  # noqa: S704


def compress(ratio: float) -> float:
    """A ratio of score to threshold as a share of the drawn height, 0 to 1.

    Linear up to the threshold, which is always at one half, and ever slower above it, so that
    neither a quiet score nor a wild one leaves the picture.
    """
    return max(ratio, 0.0) / 2 if ratio <= 1 else 1 - 1 / (2 * ratio)
