"""Messages of a small site, as its twin and edge would send them."""

import numpy as np

from gustbed_core import event_kinds
from gustbed_core.events import (
    AnomalyEvent,
    EventChange,
    Heartbeat,
    ModelRef,
    TurbineStatus,
    Verdict,
    VerdictState,
)
from gustbed_core.telemetry import Block, Samples, block_from_samples
from gustbed_core.turbine_types import load_types
from gustbed_dashboard.site.type_catalog import TypeCatalog

SITE = "site-1"
MODEL = ModelRef("windturbine", "1.0.0")
MINI = "mini"
KNOWN = load_types()
TYPES = TypeCatalog(KNOWN)


def block(turbine: str = "wt01", end: float = 100.0, seq: int = 0, boot: str = "b1") -> Block:
    """Half a second at 20 Hz, level attitude, rps counting up from 0.1."""
    names = KNOWN[MINI].channel_names
    values = np.zeros((len(names), 10))
    values[names.index("qw")] = 1.0
    values[names.index("rps")] = np.arange(1, 11) / 10
    values[names.index("voltage")] = 48.0
    samples = Samples(turbine, boot, seq, end - 0.45, 0.05, values, MINI, names)
    return block_from_samples(samples)


CHANNELS_OF_OTHERS = ("wind_speed", "rotor_speed", "active_power", "gearbox_oil_temperature")
OTHER = "nrel_5mw"


def typed_block(
    turbine: str = "wt01",
    end: float = 100.0,
    seq: int = 0,
    names: tuple[str, ...] = CHANNELS_OF_OTHERS,
    kind: str = OTHER,
) -> Block:
    """Half a second at 20 Hz of another type; a channel's value is its place, plus one."""
    values = np.tile(np.arange(1.0, len(names) + 1)[:, None], (1, 10))
    return block_from_samples(Samples(turbine, "b1", seq, end - 0.45, 0.05, values, kind, names))


def typed_verdict(t: float, ratios: dict[str, float], model: ModelRef = MODEL) -> Verdict:
    """A verdict with ratios of any features."""
    score = max(ratios.values(), default=None)
    return Verdict("wt01", "b1", 0, t, "ok", score, ratios, [], model)


def verdict(turbine: str = "wt01", t: float = 100.0, score: float | None = 0.4) -> Verdict:
    """All ratios at the score; a score above 1 is a vibration."""
    ratios = {} if score is None else dict.fromkeys(KNOWN[MINI].schema.feature_names, score)
    bad = score is not None and score > 1
    kinds = [event_kinds.VIBRATION] if bad else []
    state: VerdictState = "unknown" if score is None else "anomaly" if bad else "ok"
    return Verdict(turbine, "b1", 0, t, state, score, ratios, kinds, MODEL)


def status(
    turbine: str = "wt01", state: VerdictState = "ok", blocks: int = 7, kind: str = MINI
) -> TurbineStatus:
    """A turbine that lost nothing."""
    kinds = [event_kinds.VIBRATION] if state == "anomaly" else []
    return TurbineStatus(turbine, state, blocks, 0, 0, 0, 0.4, kinds, kind)


def heartbeat(t: float = 100.0, *turbines: TurbineStatus) -> Heartbeat:
    """An edge that is connected to the cloud."""
    return Heartbeat(SITE, "gustbed-site-1", t, True, MODEL, list(turbines or [status()]))


def event(
    name: str = "e1",
    opened: float = 90.0,
    closed: float | None = None,
    peak: float = 2.0,
    signals: tuple[str, ...] = (),
) -> AnomalyEvent:
    """A vibration on wt01."""
    change: EventChange = "opened" if closed is None else "closed"
    return AnomalyEvent(
        name,
        SITE,
        "gustbed-site-1",
        "wt01",
        event_kinds.VIBRATION,
        opened,
        closed,
        peak,
        MODEL,
        change,
        list(signals),
    )
