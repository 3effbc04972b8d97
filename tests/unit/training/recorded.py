"""Recordings to read: files as people write them, and small schemas to read them by."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gustbed_core.event_kinds import SENSOR, THERMAL
from gustbed_core.features import Feature
from gustbed_core.signals import ChannelSpec, Schema
from gustbed_training.data.partition import Label, Recording

Columns = dict[str, list[object]]


def pump_schema(window: int = 10, step: int = 1, rate: float = 1.0) -> Schema:
    """Two channels; ``warmth`` is thermal, ``flow`` and what follows from both are a sensor's."""
    return Schema(
        turbine_type="pump",
        sample_rate_hz=rate,
        channels=(ChannelSpec("warmth", "degC"), ChannelSpec("flow", "l/min")),
        features=(
            Feature("warmth", "degC"),
            Feature("flow", "l/min"),
            Feature("excess", "1", "difference", ("warmth", "flow")),
        ),
        violations={THERMAL: ("warmth",), SENSOR: ("flow", "excess")},
        window=window,
        step=step,
    )


def pump(
    samples: int,
    *,
    name: str = "a",
    start: float = 0.0,
    labels: Sequence[Label] = (),
    fit: int | None = None,
) -> Recording:
    """A recording in memory whose samples say where they are."""
    values = np.vstack([np.arange(samples), np.sin(np.arange(samples))]).astype(np.float32)
    return Recording(f"{name}.parquet", name, start, values, tuple(labels), True, fit)


def write_csv(path: Path, columns: Mapping[str, Sequence[object]], separator: str = ",") -> Path:
    """A CSV file, values as ``str`` gives them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = zip(*columns.values(), strict=True)
    lines = [
        separator.join(columns),
        *(separator.join(str(value) for value in row) for row in rows),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def pump_columns(rows: int = 200, seed: int = 1) -> Columns:
    """What a bench wrote, once a second from midnight."""
    rng = np.random.default_rng(seed)
    times = [f"2024-05-01 {i // 3600:02d}:{i // 60 % 60:02d}:{i % 60:02d}" for i in range(rows)]
    return {
        "when": list(times),
        "Warmth in F": [round(float(v), 3) for v in rng.normal(100, 5, rows)],
        "Flow": [round(float(v), 3) for v in rng.normal(30, 1, rows)],
        "bad": [1 if 150 <= i < 170 else 0 for i in range(rows)],
        "remark": ["fine"] * rows,
    }


PUMP_MAP = """
turbine_type: pump
sample_rate_hz: 1
time: {column: when, format: iso}
columns:
  warmth: {from: Warmth in F, unit: degC, scale: 0.5, offset: -10}
  flow: {from: Flow, unit: l/min}
labels:
  leak: {column: bad, violation: sensor, signals: [flow]}
window: 10
step: 1
"""


def write_map(folder: Path, extra: str = "", text: str = PUMP_MAP) -> Path:
    """The pump's map with more lines."""
    path = folder / "map.yaml"
    path.write_text(text + extra, encoding="utf-8")
    return path
