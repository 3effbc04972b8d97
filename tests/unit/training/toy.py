"""A made-up turbine type's dataset on disk and a detector of three lines, for the pipeline."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from gustbed_core.capture import Capture, CaptureBatch, pack
from gustbed_core.event_kinds import ELECTRICAL, THERMAL
from gustbed_core.features import Feature
from gustbed_core.signals import ChannelSpec, Decision, Schema
from gustbed_training.data.writing import write_card, write_recording
from gustbed_training.detectors.base import FitData, Plan
from gustbed_training.progress import Log

SCHEMA = Schema(
    turbine_type="toy_type",
    sample_rate_hz=1.0,
    channels=(ChannelSpec("hot", "K"), ChannelSpec("amps", "A")),
    features=(Feature("hot", "K"), Feature("amps", "A")),
    violations={THERMAL: ("hot",), ELECTRICAL: ("amps",)},
    window=10,
    step=5,
    decision=Decision(open_after=2, close_after=3),
)
SAMPLES = 40_000
Fault = tuple[str, int, int]
"""A channel, and the first and last-plus-one sample where it is raised."""


def signals(seed: int, faults: Sequence[Fault] = (), samples: int = SAMPLES) -> np.ndarray:
    """Values (samples, channels): noise about 50 and 10, 8 standard deviations up in faults."""
    values = np.random.default_rng(seed).normal((50.0, 10.0), (2.0, 1.0), (samples, 2))
    for channel, start, stop in faults:
        row = SCHEMA.channel_names.index(channel)
        values[start:stop, row] += 8 * (2.0, 1.0)[row]
    return values


def write_dataset(
    folder: Path, turbines: Sequence[Sequence[Fault]] = ((), ()), labelled: bool = True
) -> Path:
    """A dataset of one recording per turbine; its faults are in columns if it is labelled."""
    folder.mkdir(parents=True)
    names = []
    for number, faults in enumerate(turbines, start=1):
        values = signals(number, faults)
        labels = {}
        for channel in SCHEMA.channel_names if labelled else ():
            severity = np.zeros(len(values))
            for name, start, stop in faults:
                severity[start:stop] += name == channel
            labels[f"fault_{channel}"] = severity
        names.append(f"t{number}")
        times = np.arange(len(values), dtype=np.float64)
        write_recording(folder / f"{names[-1]}.parquet", SCHEMA, times, values, labels)
    fields = {"signals": {name: [name] for name in SCHEMA.channel_names}}
    write_card(folder, SCHEMA, names, fields)
    return folder


def write_captures(folder: Path, stretches: int = 60, samples: int = 1000) -> Path:
    """What an edge sampled of two turbines that run half a standard deviation hotter."""
    folder.mkdir(parents=True)
    captures = [
        Capture(
            f"t{1 + number % 2}", SCHEMA.turbine_type, "boot", 1.7e9 + 5000.0 * number, 1.0,
            list(SCHEMA.channel_names),
            pack((signals(100 + number, samples=samples) + np.array([1.0, 0.0])).T), [0.5], 0, None,
        )
        for number in range(stretches)
    ]  # fmt: skip
    batch = CaptureBatch("gustbed-s1", "s1", captures)
    (folder / "captures.jsonl").write_bytes(msgspec.json.encode(batch) + b"\n")
    return folder


FAULTY: Sequence[Fault] = [
    (SCHEMA.channel_names[i % 2], 2000 + 3000 * i, 2200 + 3000 * i) for i in range(12)
]
"""Twelve faults of either channel."""


class Mean:
    """Scores how far a window's mean is from that of training; ``weaken`` spoils it."""

    def __init__(self, name: str = "mean", weaken: float = 0.0) -> None:
        self.name, self._weaken = name, weaken
        self.fits: list[Plan] = []

    def fit(self, data: FitData, plan: Plan, log: Log) -> nn.Module:
        """Remember the training mean; the seed moves it by a hair."""
        self.fits.append(plan)
        log("fitting")
        hair = 1e-3 * torch.randn(data.windows.shape[1])
        return _Distance(torch.from_numpy(data.windows.mean(axis=(0, 2))) + hair, self._weaken)


class _Distance(nn.Module):
    def __init__(self, mean: Tensor, weaken: float) -> None:
        super().__init__()
        self.mean: Tensor
        self.register_buffer("mean", mean)
        self._weaken = weaken

    def forward(self, window: Tensor) -> Tensor:
        distance = (window.mean(2) - self.mean).abs()
        # Noise that a graph can hold: the window's last sample.
        return distance * (1 - self._weaken) + self._weaken * window[:, :, -1].sin().square()
