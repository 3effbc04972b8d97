"""From shared-out recordings to a model package."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import torch
from numpy.typing import NDArray

from gustbed_protocol.errors import GustbedError
from gustbed_protocol.features import FEATURE_NAMES, FEATURES
from gustbed_protocol.package import FeatureSpec, Manifest, Package
from gustbed_protocol.violations import FEATURES_OF
from gustbed_training.evaluate import evaluate
from gustbed_training.export import to_onnx
from gustbed_training.model import WIND, TurbineModel
from gustbed_training.recordings import SAMPLE_RATE_HZ
from gustbed_training.report import as_metrics
from gustbed_training.scoring import Scorer, scorer
from gustbed_training.shares import Shares, hours_of, windows_of
from gustbed_training.thresholds import Target, threshold
from gustbed_training.train import Plan, train
from gustbed_training.windows import STEP, WINDOW

Say = Callable[[str], None]
VERDICTS_PER_HOUR = 3600 * SAMPLE_RATE_HZ / STEP
_GOLDEN_NORMAL, _GOLDEN_FAULTY = 8, 8
_ROOM_FOR_WEATHER = 2.0
"""Weather is no fault: only a wind that is far beyond any seen may count as a broken anemometer."""
_PROGRESS_EVERY = 7
"""Every so manieth held-out window suffices to show progress."""


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
    model = train(windows, np.concatenate(held)[::_PROGRESS_EVERY], plan, say)
    model.threshold.copy_(torch.tensor(find_thresholds(_score(model), held, target)))
    onnx = to_onnx(model, len(FEATURES), WINDOW)
    score = scorer(onnx)
    result = evaluate((part.cut_out() for part in (*shares.test, *shares.fault)), score)
    golden = _golden_windows(shares)
    manifest = Manifest(
        name=identity.name,
        version=identity.version,
        created=_now(),
        features=[FeatureSpec(feature.name, feature.unit) for feature in FEATURES],
        sample_rate_hz=SAMPLE_RATE_HZ,
        window=WINDOW,
        step=STEP,
        thresholds=dict(zip(FEATURE_NAMES, model.threshold.tolist(), strict=True)),
        violations={kind: list(names) for kind, names in FEATURES_OF.items()},
        metrics=as_metrics(result),
        training={"data": source} | _provenance(shares, plan, target),
    )
    return Package(manifest, onnx, golden, score(golden)[1])


def find_thresholds(
    score: Scorer, held: Sequence[NDArray[np.float32]], target: Target
) -> list[float]:
    """Thresholds by feature from held-out normal windows, one array per stretch of time."""
    scores = [score(windows)[0] for windows in held]
    found = [
        threshold([each[:, i] for each in scores], target, VERDICTS_PER_HOUR)
        for i in range(len(FEATURES))
    ]
    found[WIND] *= _ROOM_FOR_WEATHER
    return found


def _score(model: TurbineModel) -> Scorer:
    def score(windows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        with torch.no_grad():
            scores, ratios = model(torch.from_numpy(windows))
        return scores.numpy(), ratios.numpy()

    return score


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
        "epochs": str(plan.epochs),
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
