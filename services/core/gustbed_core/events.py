"""Verdicts and anomaly events: what the edge concludes, on the site and up to the cloud."""

from dataclasses import dataclass, field
from typing import Literal

from gustbed_core.codec import decoder
from gustbed_core.commissioning.messages import CommissioningState
from gustbed_core.event_kinds import EventKind

SCHEMA = 1

VerdictState = Literal["ok", "anomaly", "warming", "unknown"]
"""``warming``: the window is not full yet. ``unknown``: no model could judge this turbine."""
EventChange = Literal["opened", "updated", "closed"]


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model by name and semantic version."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the model says of one block. Unique by (``turbine``, ``boot``, ``seq``).

    ``t`` is the Unix time of the window's last sample. ``ratios`` gives score over threshold by
    feature, ``score`` the largest of them; ``violations`` names the kinds whose ratio passes 1.
    ``commissioning`` is the version of the turbine's own correction where one was applied,
    ``prior`` where it was judged as widely as machines of its type differ, and else empty.
    """

    turbine: str
    boot: str
    seq: int
    t: float
    state: VerdictState
    score: float | None
    ratios: dict[str, float]
    violations: list[EventKind]
    model: ModelRef | None
    schema: int = SCHEMA
    commissioning: str = ""


@dataclass(frozen=True, slots=True)
class AnomalyEvent:
    """A lasting violation on one turbine, from opening to closing (Unix seconds).

    ``signals`` names the features that carried it so far, the strongest first. ``reason`` is why
    one was closed that did not calm down by itself.
    """

    id: str
    site: str
    thing: str
    turbine: str
    kind: EventKind
    opened: float
    closed: float | None
    peak_score: float
    model: ModelRef
    change: EventChange
    signals: list[str] = field(default_factory=list)
    schema: int = SCHEMA
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TelemetrySummary:
    """What a turbine measured over a few seconds, for the cloud; ``t`` is its end (Unix seconds).

    ``values`` are the aggregates of the turbine type, by name.
    """

    turbine: str
    type: str
    t: float
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that the edge wants the cloud to see."""

    t: float
    level: str
    message: str


@dataclass(frozen=True, slots=True)
class VerdictBatch:
    """``device/<thing>/verdicts``."""

    thing: str
    site: str
    verdicts: list[Verdict]
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class TelemetryBatch:
    """``device/<thing>/telemetry``."""

    thing: str
    site: str
    turbines: list[TelemetrySummary]
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class EventBatch:
    """``device/<thing>/events``."""

    thing: str
    site: str
    events: list[AnomalyEvent]
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class LogBatch:
    """``device/<thing>/logs``. The reference systems' records share this topic."""

    thing: str
    site: str
    lines: list[LogLine]
    type: str = "log"
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class TurbineStatus:
    """A turbine as its edge sees it. ``lost``, ``duplicate`` and ``reordered`` count blocks;
    ``type`` is empty until its first block has come. ``commissioning`` is None where there is no
    model, or one that cannot be commissioned. ``refused`` says why its newest block was not taken.
    """

    id: str
    state: Literal["ok", "anomaly", "warming", "unknown", "silent"]
    blocks: int
    lost: int
    duplicate: int
    reordered: int
    score: float | None
    violations: list[EventKind]
    type: str = ""
    commissioning: CommissioningState | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A shadow model beside the serving one: verdicts that both gave, and how they agreed.

    ``both`` and ``neither`` count the verdicts that both, or none, call an anomaly.
    """

    model: ModelRef
    verdicts: int = 0
    both: int = 0
    neither: int = 0
    only_serving: int = 0
    only_shadow: int = 0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The edge's summary of itself, retained. ``t`` is its Unix time in seconds.

    ``models`` and ``shadow_models`` are by turbine type; ``model`` is the first that serves.
    ``rejected`` counts quarantined payloads by reason; ``buffered`` counts uplink messages that
    wait for the cloud, ``lag`` is for how many seconds the oldest has; ``update`` is the running
    model update, if any.
    """

    site: str
    thing: str
    t: float
    connected: bool
    model: ModelRef | None
    turbines: list[TurbineStatus]
    rejected: dict[str, int] = field(default_factory=dict)
    buffered: int = 0
    lag: float = 0.0
    update: str | None = None
    models: dict[str, ModelRef] = field(default_factory=dict)
    shadow_models: dict[str, Comparison] = field(default_factory=dict)
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class ServiceState:
    """``gustbed/<site>/<service>/state``: retained birth (``online``) and last will."""

    service: str
    state: Literal["online", "offline"]
    t: float
    schema: int = SCHEMA


MAX_HEARTBEAT_BYTES = 4 * 1024 * 1024
"""A heartbeat stays on the site, and grows with it."""
decode_heartbeat = decoder(Heartbeat, MAX_HEARTBEAT_BYTES)
