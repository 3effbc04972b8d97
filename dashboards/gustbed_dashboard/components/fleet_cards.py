"""The fleet page's pieces: the site's strip, cards and tiles."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo

from gustbed_dashboard import formatting
from gustbed_dashboard.components.html import compress, render
from gustbed_dashboard.site.snapshot import Condition, SiteSnapshot, TurbineCard


def card(turbine: TurbineCard, tops: Sequence[float], zone: tzinfo | None = None) -> str:
    """One turbine of the fleet page. ``tops`` are the upper ends of its readings' scales."""
    status = turbine.status
    judged = status is not None and turbine.condition in (Condition.OK, Condition.ANOMALY)
    violated = status.violations if status is not None and judged else []
    return render(
        "turbine_card",
        turbine=turbine,
        tops=tops,
        spin=_spin(turbine, tops),
        trend=[None if value is None else compress(value) for value in turbine.trend],
        kinds=list(dict.fromkeys([*turbine.type.schema.violations, *violated])),
        violated=violated,
        judged=judged,
        zone=zone,
    )


def _spin(turbine: TurbineCard, tops: Sequence[float]) -> float:
    """How fast to draw the rotor, 0 to 1: the share of its scale that the first reading takes."""
    value = turbine.readings[0].value if turbine.readings else None
    return 0.0 if value is None else value / tops[0]


def tiles(turbines: Iterable[TurbineCard], query: Mapping[str, str] | None = None) -> str:
    """A large fleet at a glance; ``query`` is what the addresses of turbines keep."""
    return render("tiles", turbines=turbines, query=query or {})


def strip(site: SiteSnapshot) -> str:
    """The site's header: what an operator looks at first."""
    models = list(site.models.values())
    several = len(models) > 1
    models_line = ", ".join(
        f"{model.name} {model.version}" if several else model.name for model in models
    )
    return render(
        "site_strip",
        site=site,
        several=several,
        version=models[0].version[:24] if models else formatting.NOTHING,
        models_line=f"updating: {site.update}" if site.update else models_line or "no model yet",
        normal=sum(turbine.condition is Condition.OK for turbine in site.turbines),
        anomalous=sum(turbine.condition is Condition.ANOMALY for turbine in site.turbines),
        opened=len(site.open_events),
        lost=sum(turbine.status.lost for turbine in site.turbines if turbine.status),
    )
