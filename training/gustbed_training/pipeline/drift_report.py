"""A drift report of recordings or captures: what their windows are, and how the model fits them."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from gustbed_core import drift as wire
from gustbed_core.errors import GustbedError
from gustbed_core.package import Manifest, Package
from gustbed_core.signals import Schema
from gustbed_training.data.captured import Captured, drawn, read_captures
from gustbed_training.data.dataset import open_dataset
from gustbed_training.data.split import whole
from gustbed_training.detectors.scoring import Scorer, scorer, smoothed
from gustbed_training.drift.comparison import Drift, drift
from gustbed_training.drift.fit import Judged, usual_of
from gustbed_training.pipeline.measure import schema_in, schema_of, select_channels
from gustbed_training.pipeline.stretches import windows_apart, windows_at_steps
from gustbed_training.progress import Log

PIECE = 6
"""Windows, one after the other, of a recording that count as one capture does."""
TOLD_EACH = 1000
"""Captures after which a line says how far it is."""


@dataclass
class _Seen:
    """What was looked at so far: windows that do not overlap, and how they were judged."""

    schema: Schema
    score: Scorer
    windows: list[NDArray[np.float32]] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    begin: float = np.inf
    end: float = -np.inf

    def add(
        self,
        turbine: str,
        values: NDArray[np.float32],
        begin: float,
        told: NDArray[np.float64] | None = None,
    ) -> None:
        """Samples (channels, n) of a turbine, judged by the graph or as was ``told`` there."""
        windows = windows_apart(values, self.schema)
        if not len(windows):
            return
        self.windows.append(windows)
        self.begin = min(self.begin, begin)
        self.end = max(self.end, begin + values.shape[1] / self.schema.sample_rate_hz)
        if told is not None:
            self.judged.append(Judged(turbine, None, told))
            return
        ratios = self._ratios(values, windows)
        self.judged.append(Judged(turbine, ratios, ratios.max(axis=1, initial=0.0)))

    def _ratios(
        self, values: NDArray[np.float32], apart: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        if self.schema.decision.smooth <= 1:
            return self.score(apart)[1]
        # Means over verdicts, which come at each step.
        ratios = self.score(windows_at_steps(values, self.schema))[1]
        return smoothed(ratios, self.schema.decision)

    def compared(self, package: Package) -> Drift:
        """All of it beside a package. Raises ``GustbedError``."""
        none = np.empty((0, len(self.schema.features), self.schema.window), dtype=np.float32)
        every = np.concatenate([none, *self.windows])
        usual = usual_of(package.golden_ratios)
        found = drift(package.manifest.reference, self.schema, every, self.judged, usual)
        hours = (self.end - self.begin) / 3600 if self.windows else None
        return replace(found, hours=hours)


def drift_of(package: Package, data: Path, log: Log) -> Drift:
    """Compare all recordings of a dataset with a package. Raises ``GustbedError``."""
    dataset = open_dataset(data)
    schema = schema_of(package.manifest, dataset.schema)
    seen = _Seen(schema, scorer(package.model))
    piece = PIECE * schema.window
    for number, source in enumerate(dataset.sources, start=1):
        for one in dataset.read(source):
            values = select_channels(whole(one), dataset.schema, schema).recording.values
            for first in range(0, one.samples, piece):
                begin = one.start + first / schema.sample_rate_hz
                seen.add(one.turbine, values[:, first : first + piece], begin)
        log(f"drift: {number}/{len(dataset.sources)} {source.path.name}")
    return seen.compared(package)


def drift_of_captures(package: Package, folder: Path, log: Log) -> Drift:
    """Compare what the clock drew at the sites, whatever the verdicts were, with a package.

    Captures whose verdicts heeded a commissioning are judged as they were there: the graph alone
    knows nothing of it; and of a turbine, only those count that heeded what its last one did.
    Raises ``GustbedError``.
    """
    schema = schema_in(package.manifest)
    seen, counts = _Seen(schema, scorer(package.model)), Counter[str]()
    found = list(read_captures(folder, schema, counts, drawn))
    several = len({one.site for one in found}) > 1
    heeded = _heeded(found)
    for number, one in enumerate(found, start=1):
        if number % TOLD_EACH == 0:
            log(f"drift: {number}/{len(found)} captures")
        if one.capture.commissioned != heeded[_whose(one)]:
            counts["before the latest commissioning"] += 1
            continue
        told = _told(one, package.manifest)
        if told is not None and not len(told):
            counts["judged by another model since the commissioning"] += 1
            continue
        name = f"{one.site}/{one.capture.turbine}" if several else one.capture.turbine
        seen.add(name, one.values, one.begin, told)
    log(f"{folder}: captures: {', '.join(f'{n} {what}' for what, n in counts.most_common())}")
    return seen.compared(package)


def write_report(found: Drift, manifest: Manifest, source: str, folder: Path) -> Path:
    """Write the report where the dashboard looks for it. Raises ``GustbedError``."""
    report = _report(found, manifest, source)
    path = folder / wire.report_file(manifest.name)
    part = path.with_name(f".{path.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_bytes(msgspec.json.encode(report))
        part.replace(path)
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "make it writable") from error
    return path


def _whose(one: Captured) -> tuple[str, str]:
    return one.site, one.capture.turbine


def _heeded(found: Iterable[Captured]) -> dict[tuple[str, str], str]:
    """By site and turbine, the commissioning that the last capture's verdicts heeded."""
    in_time = sorted(found, key=lambda one: one.begin)
    return {_whose(one): one.capture.commissioned for one in in_time}


def _told(one: Captured, manifest: Manifest) -> NDArray[np.float64] | None:
    """The largest ratios as verdicts said them, empty if another model did; None if the graph is
    to be asked.
    """
    capture = one.capture
    if not capture.commissioned:
        return None
    model = capture.model
    same = model is not None and (model.name, model.version) == (manifest.name, manifest.version)
    return np.array(capture.scores if same else [], dtype=np.float64)


def _report(found: Drift, manifest: Manifest, source: str) -> wire.DriftReport:
    fits = {each.feature: each for each in found.fit.features} if found.fit else {}
    features = [
        wire.FeatureDrift(
            one.feature,
            one.psi,
            one.shift,
            one.level.value,
            fits[one.feature].level.value if one.feature in fits else "unknown",
            fits[one.feature].above if one.feature in fits else None,
        )
        for one in found.features
    ]
    turbines = [
        wire.TurbineDrift(
            each.turbine, each.level.value, each.captures, each.above, list(each.features)
        )
        for each in (found.fit.turbines if found.fit else ())
    ]
    return wire.DriftReport(
        f"{manifest.name} {manifest.version}",
        manifest.turbine_type,
        time.time(),
        found.level.value,
        features,
        source,
        found.finding,
        found.inputs.value,
        turbines,
        found.fit.above if found.fit else None,
        found.remedy,
    )
