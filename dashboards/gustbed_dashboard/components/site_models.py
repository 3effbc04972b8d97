"""What the edges of all sites run, as a table of sites and turbine types."""

from collections.abc import Callable, Mapping

from gustbed_core.naming import natural
from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard.components.html import render
from gustbed_dashboard.components.site_states import LOOKS
from gustbed_dashboard.site.glance import Glance


def site_models(
    sites: Mapping[str, Glance], shown: str, type_of: Callable[[str], TurbineType]
) -> str:
    """A row for each site, a column for each type; ``shown`` is the site that the page is of.

    A version that is not the newest which some site serves is marked.
    """
    types = sorted({name for site in sites.values() for name in site.models})
    newest = {
        name: max(
            (site.models[name].version for site in sites.values() if name in site.models),
            key=natural,
        )
        for name in types
    }
    return render(
        "site_models",
        sites=sites,
        types=[type_of(name) for name in types],
        newest=newest,
        shown=shown,
        looks=LOOKS,
    )
