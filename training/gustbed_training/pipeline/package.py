"""From shared-out recordings to a model package."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import torch
from numpy.typing import NDArray

from gustbed_protocol.channels import CHANNELS
from gustbed_protocol.errors import GustbedError
from gustbed_protocol.features import FEATURES, FEATURES_OF
from gustbed_protocol.package import QUANTILES, ChannelSpec, Distribution, Manifest, Package
from gustbed_protocol.telemetry import MINI
from gustbed_training.data.schema import Schema
from gustbed_training.detectors.base import FitData, Plan
from gustbed_training.detectors.registry import SHIPPED, detector
from gustbed_training.detectors.scoring import scorer
from gustbed_training.detectors.thresholds import Target
from gustbed_training.evaluate import evaluate
from gustbed_training.pipeline.calibrate import exported, thresholds_of
from gustbed_training.recordings import NEEDED, SAMPLE_RATE_HZ
from gustbed_training.report import as_metrics
from gustbed_training.shares import Shares, hours_of, windows_of
from gustbed_training.windows import STEP, WINDOW

Say = Callable[[str], None]
_GOLDEN_NORMAL, _GOLDEN_FAULTY = 8, 8
_SCHEMA = Schema(
    turbine_type=MINI,
    sample_rate_hz=SAMPLE_RATE_HZ,
    channels=tuple(ChannelSpec(c.name, c.unit) for c in CHANNELS if c.name in NEEDED),
    features=FEATURES,
    violations=FEATURES_OF,
    window=WINDOW,
    step=STEP,
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What the package is called."""

    name: str
    version: str


def build(
    shares: Shares, identity: Identity, plan: Plan, target: Target, source: str, say: Say
) -> Package:
    """Train, set thresholds, evaluate on what is left over, and put it all in a package."""
    windows = windows_of(shares.train)
    held = [part.windows() for part in shares.calibrate]
    say(f"training on {len(windows)} windows, calibrating on {sum(map(len, held))}")
    chosen = detector(SHIPPED)
    module = chosen.fit(FitData(_SCHEMA, windows, held), plan, say)
    thresholds = thresholds_of(module, held, _SCHEMA, target)
    onnx = exported(module, thresholds, _SCHEMA)
    score = scorer(onnx)
    result = evaluate((part.cut_out() for part in (*shares.test, *shares.fault)), score)
    golden = _golden_windows(shares)
    manifest = Manifest(
        name=identity.name,
        version=identity.version,
        created=_now(),
        turbine_type=_SCHEMA.turbine_type,
        detector=chosen.name,
        channels=list(_SCHEMA.channels),
        features=list(_SCHEMA.features),
        sample_rate_hz=_SCHEMA.sample_rate_hz,
        window=_SCHEMA.window,
        step=_SCHEMA.step,
        thresholds=dict(zip(_SCHEMA.feature_names, thresholds, strict=True)),
        violations={kind: list(names) for kind, names in _SCHEMA.violations.items()},
        decision=_SCHEMA.decision,
        reference=_reference(windows),
        metrics=as_metrics(result),
        training={"data": source} | _provenance(shares, plan, target),
    )
    return Package(manifest, onnx, golden, score(golden)[1])


def _reference(windows: NDArray[np.float32]) -> dict[str, Distribution]:
    """How the features were distributed in training."""
    flat = windows.transpose(1, 0, 2).reshape(windows.shape[1], -1)
    quantiles = np.quantile(flat, QUANTILES, axis=1).T
    return {
        name: Distribution(
            float(row.mean(dtype=np.float64)), float(row.std(dtype=np.float64)), found.tolist()
        )
        for name, row, found in zip(_SCHEMA.feature_names, flat, quantiles, strict=True)
    }


def _golden_windows(shares: Shares) -> NDArray[np.float32]:
    """Windows from test data, evenly drawn: normal ones, and faulty ones where there are any."""
    chosen = [_evenly(windows_of(shares.test), _GOLDEN_NORMAL)]
    faulty: list[NDArray[np.float32]] = []
    for part in shares.fault:
        on = np.max(list(part.recording.severity.values()), axis=0) > 0
        full = np.convolve(on, np.ones(WINDOW), "valid")[::STEP] == WINDOW
        faulty.append(part.windows()[full])
    if faulty:
        chosen.append(_evenly(np.concatenate(faulty), _GOLDEN_FAULTY))
    return np.concatenate(chosen)


def _evenly(windows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    picks = np.unique(np.linspace(0, len(windows) - 1, min(count, len(windows))).astype(int))
    picked: NDArray[np.float32] = windows[picks]
    return picked


def _provenance(shares: Shares, plan: Plan, target: Target) -> dict[str, str]:
    return {
        "seed": str(plan.seed),
        "epochs": str(plan.epochs or ""),
        "train_turbine_hours": f"{hours_of(shares.train):.2f}",
        "calibrate_turbine_hours": f"{hours_of(shares.calibrate):.2f}",
        "false_events_per_turbine_hour_aimed_at": f"{target.false_per_hour:g}",
        "threshold_margin": f"{target.margin:g}",
        "torch": str(torch.__version__),
    }


def _now() -> str:
    """When the package was made; SOURCE_DATE_EPOCH makes builds repeatable to the byte."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        now = datetime.fromtimestamp(int(given), UTC) if given else datetime.now(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise GustbedError(f"SOURCE_DATE_EPOCH={given}", "give seconds since 1970") from error
    return now.isoformat(timespec="seconds")
