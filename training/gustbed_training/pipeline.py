"""From a folder of recordings to a model package."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gustbed_protocol.errors import GustbedError
from gustbed_protocol.features import FEATURE_NAMES, FEATURES
from gustbed_protocol.package import FeatureSpec, Manifest, Package
from gustbed_protocol.violations import FEATURES_OF, Violation
from gustbed_training.datasets import role_of
from gustbed_training.evaluate import Evaluation, evaluate
from gustbed_training.export import to_onnx
from gustbed_training.model import WIND, TurbineModel
from gustbed_training.recordings import (
    SAMPLE_RATE_HZ,
    Recording,
    read_recording,
    recording_files,
)
from gustbed_training.scoring import scorer
from gustbed_training.thresholds import Target, threshold
from gustbed_training.train import Plan, train
from gustbed_training.windows import (
    STEP,
    WINDOW,
    Fractions,
    Stretch,
    features_of,
    shortest_recording,
    split_by_time,
    whole,
)

Say = Callable[[str], None]
VERDICTS_PER_HOUR = 3600 * SAMPLE_RATE_HZ / STEP
_GOLDEN_NORMAL, _GOLDEN_FAULTY = 8, 8
_ROOM_FOR_WEATHER = 2.0
"""Weather is no fault: only a wind that is far beyond any seen may count as a broken anemometer."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the package is called."""

    name: str
    version: str


@dataclass(frozen=True)
class Part:
    """A stretch of a recording."""

    recording: Recording
    stretch: Stretch


@dataclass
class Shares:
    """What each step may see. ``test`` and ``fault`` are for evaluation only."""

    train: list[Part] = field(default_factory=list)
    calibrate: list[Part] = field(default_factory=list)
    test: list[Part] = field(default_factory=list)
    fault: list[Part] = field(default_factory=list)


def load(folder: Path, hours: float | None = None) -> Shares:
    """Read a dataset and share it out by role and time; ``hours`` bounds each recording."""
    shares = Shares()
    for file in recording_files(folder):
        role = role_of(file, folder)
        for recording in read_recording(file, shortest_recording()):
            if hours is not None:
                recording = _first(recording, hours)
            if role == "train" and any(column.any() for column in recording.severity.values()):
                role = "fault"  # a labelled recording of one's own must not teach the model
            if role == "train":
                split = split_by_time(recording.samples, Fractions())
                shares.train.append(Part(recording, split.train))
                shares.calibrate.append(Part(recording, split.calibrate))
                shares.test.append(Part(recording, split.test))
            else:
                getattr(shares, role).append(Part(recording, whole(recording)))
    if not shares.train:
        raise GustbedError(f"{folder}: no recording without faults", "give normal data to train on")
    return shares


def evaluation_recordings(source: Path) -> Iterator[Recording]:
    """What a dataset keeps for evaluation; of a folder or file of one's own, everything."""
    files = recording_files(source)
    roles = [role_of(file, source) for file in files]
    kept = {"test", "fault"} if {"test", "fault"} & set(roles) else {"train"}
    for file, role in zip(files, roles, strict=True):
        if role in kept:
            yield from read_recording(file, WINDOW)


def build(
    shares: Shares, identity: Identity, plan: Plan, target: Target, source: str, say: Say
) -> Package:
    """Train, set thresholds, evaluate what is left over, and put it all in a package."""
    windows = _windows(shares.train)
    held = [_windows([part]) for part in shares.calibrate]
    say(f"training on {len(windows)} windows, calibrating on {sum(map(len, held))}")
    model = train(windows, np.concatenate(held)[::7], plan, say)
    model.threshold.copy_(torch.tensor(_thresholds(model, held, target)))
    onnx = to_onnx(model, len(FEATURES), WINDOW)
    result = evaluate(_cut([*shares.test, *shares.fault]), scorer(onnx))
    golden = _golden_windows(shares)
    manifest = Manifest(
        name=identity.name,
        version=identity.version,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        features=[FeatureSpec(feature.name, feature.unit) for feature in FEATURES],
        sample_rate_hz=SAMPLE_RATE_HZ,
        window=WINDOW,
        step=STEP,
        thresholds=dict(zip(FEATURE_NAMES, model.threshold.tolist(), strict=True)),
        violations={kind: list(names) for kind, names in FEATURES_OF.items()},
        metrics=_metrics(result),
        training={
            "data": source,
            "seed": str(plan.seed),
            "epochs": str(plan.epochs),
            "train_turbine_hours": f"{_hours(shares.train):.2f}",
            "calibrate_turbine_hours": f"{_hours(shares.calibrate):.2f}",
            "false_events_per_turbine_hour_aimed_at": f"{target.false_per_hour:g}",
            "threshold_margin": f"{target.margin:g}",
            "torch": str(torch.__version__),
        },
    )
    return Package(manifest, onnx, golden, scorer(onnx)(golden)[1])


def _first(recording: Recording, hours: float) -> Recording:
    samples = max(round(hours * 3600 * SAMPLE_RATE_HZ), shortest_recording())
    part = {kind: column[:samples] for kind, column in recording.severity.items()}
    return Recording(recording.source, recording.turbine, recording.values[:, :samples], part)


def _windows(parts: Sequence[Part]) -> NDArray[np.float32]:
    return np.concatenate([features_of(part.recording, part.stretch) for part in parts])


def _cut(parts: Sequence[Part]) -> list[Recording]:
    return [
        Recording(
            part.recording.source,
            part.recording.turbine,
            part.recording.values[:, part.stretch.start : part.stretch.stop],
            {
                kind: column[part.stretch.start : part.stretch.stop]
                for kind, column in part.recording.severity.items()
            },
        )
        for part in parts
    ]


def _hours(parts: Sequence[Part]) -> float:
    samples = sum(part.stretch.stop - part.stretch.start for part in parts)
    return samples / SAMPLE_RATE_HZ / 3600


def _thresholds(
    model: TurbineModel, held: Sequence[NDArray[np.float32]], target: Target
) -> list[float]:
    with torch.no_grad():
        scores = [model(torch.from_numpy(windows))[0].numpy() for windows in held]
    found = [
        threshold([score[:, i] for score in scores], target, VERDICTS_PER_HOUR)
        for i in range(len(FEATURES))
    ]
    found[WIND] *= _ROOM_FOR_WEATHER
    return found


def _golden_windows(shares: Shares) -> NDArray[np.float32]:
    """Windows from test data, evenly drawn: normal ones, and faulty ones where there are any."""
    chosen = [_evenly(_windows(shares.test), _GOLDEN_NORMAL)]
    faulty: list[NDArray[np.float32]] = []
    for part in shares.fault:
        on = np.max(list(part.recording.severity.values()), axis=0) > 0
        full = np.convolve(on, np.ones(WINDOW), "valid")[::STEP] == WINDOW
        faulty.append(_windows([part])[full])
    if faulty:
        chosen.append(_evenly(np.concatenate(faulty), _GOLDEN_FAULTY))
    return np.concatenate(chosen)


def _evenly(windows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    picks = np.unique(np.linspace(0, len(windows) - 1, min(count, len(windows))).astype(int))
    return windows[picks]


def _metrics(result: Evaluation) -> dict[str, float]:
    metrics = {
        "test_turbine_hours": round(result.turbine_hours, 3),
        "false_events_per_turbine_day": round(result.false_events_per_turbine_day, 4),
    }
    for kind in Violation:
        found = [entry for (k, _), entry in result.injections.items() if k is kind]
        if not found:
            continue
        faults = sum(entry.faults for entry in found)
        points = result.points[kind]
        metrics |= {
            f"{kind}_precision": round(points.precision, 4),
            f"{kind}_recall": round(points.recall, 4),
            f"{kind}_f1": round(points.f1, 4),
            f"{kind}_exactly_one_event": round(sum(e.exactly_one for e in found) / faults, 4),
            f"{kind}_cross_talk": float(sum(e.cross_talk for e in found)),
        }
        delays = [delay for entry in found for delay in entry.delays]
        if delays:
            metrics[f"{kind}_median_delay_s"] = round(float(np.median(delays)), 2)
    return metrics
