"""What an edge answers over HTTP, for its container, the dashboard and people."""

from dataclasses import dataclass, field

from gustbed_core.events import ModelRef
from gustbed_core.jobs import Role

HEALTH = "/health"
STATUS = "/status"
EVENTS = "/events"
MODELS = "/models"
METRICS = "/metrics"
COMMISSIONING = "/commissioning"
FLEET_HEADER = "Gustbed-Fleet"
"""Header of every answer: the id of the fleet that the service belongs to, where it knows one."""
PATHS = (HEALTH, STATUS, EVENTS, MODELS, COMMISSIONING, METRICS)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that an edge runs: its manifest's figures, and its card (Markdown).

    ``role`` is what it runs for: to serve its turbine type, or in shadow. ``commissionable``: it
    can be corrected for one turbine; ``corrections`` are the versions at work, by turbine.
    """

    model: ModelRef
    turbine_type: str
    role: Role
    detector: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    card: str = ""
    commissionable: bool = False
    corrections: dict[str, str] = field(default_factory=dict)
