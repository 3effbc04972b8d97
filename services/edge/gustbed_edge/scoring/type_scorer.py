"""The turbines of one type: their windows, and the model that judges them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gustbed_core.channels import CHANNEL_NAMES
from gustbed_core.features import Engineer
from gustbed_core.package import Decision, Manifest, PackageError
from gustbed_core.telemetry import MINI
from gustbed_edge.events.tracker import Judge
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.smoothing import Smoother
from gustbed_edge.scoring.verdicts import Judgement, Round
from gustbed_edge.scoring.windows import SPARE, Windows

DEFAULT_WINDOW = 100
"""Samples kept per turbine while there is no model to say how many it wants."""
MAX_BUFFER_BYTES = 2 * 1024**3
"""Of one model's windows, all turbines together."""
MAX_LAYOUTS = 16
"""Orders of columns that are remembered; blocks of one type hardly have more than one."""


@dataclass(frozen=True, slots=True)
class DecisionOverrides:
    """What this site wants otherwise than its models do; None: as the model says."""

    open_after: int | None = None
    close_after: int | None = None

    def instead_of(self, decision: Decision) -> Decision:
        """The decision that counts."""
        return replace(
            decision,
            open_after=self.open_after or decision.open_after,
            close_after=self.close_after or decision.close_after,
        )


NO_OVERRIDES = DecisionOverrides()


@dataclass(frozen=True, slots=True)
class RoundWindows:
    """A round's samples (k, channels, n), and the windows of those that are ``ready``."""

    values: NDArray[np.float64]
    ready: NDArray[np.bool_]
    windows: NDArray[np.float32]


class TypeScorer:
    """Rows are those of the site; a row of another type is never touched.

    A miniature's samples are all kept, others' as far as the model reads them. Used by one thread.
    """

    def __init__(self, turbines: int, overrides: DecisionOverrides) -> None:
        self.detector: Detector | None = None
        self.judge: Judge | None = None
        self.names = CHANNEL_NAMES
        self._turbines = turbines
        self._overrides = overrides
        self._windows = Windows(turbines, len(self.names), DEFAULT_WINDOW)
        self._layouts: dict[tuple[str, ...], NDArray[np.intp]] = {}
        self._engineer: Engineer | None = None
        self._smoother = Smoother(0, 0, 1)

    def serve(self, detector: Detector) -> None:
        """Judge by this model from now on, with the history that there is."""
        manifest = detector.manifest
        names = channels(manifest)
        if names != self.names:
            self._windows = self._rearranged(names, manifest.window)
            self.names = names
            self._layouts.clear()
        elif manifest.window != self._windows.window:
            self._windows = self._windows.resized(manifest.window)
        decision = self._overrides.instead_of(manifest.decision)
        self._engineer = Engineer(manifest.features, names)
        self._smoother = Smoother(self._turbines, len(manifest.features), decision.smooth)
        self.judge = Judge.of(manifest, decision)
        self.detector = detector

    def take(self, part: Round) -> RoundWindows:
        """Put a round's samples behind those before. Raises ``KeyError`` with a channel that a
        block lacks.
        """
        self._windows.restart(part.restarted)
        values = self._values(part)
        self._windows.append(part.rows, values)
        ready = self._windows.ready(part.rows)
        return RoundWindows(values, ready, self._windows.latest(part.rows[ready]))

    def features(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Windows to what the model sees. Only with a model."""
        assert self._engineer is not None  # noqa: S101 - set together with the detector
        return self._engineer(windows)

    def ratios(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Windows (n, channels, time) to ratios (n, features); NaN where nothing can judge."""
        if self.detector is None:
            return np.full((len(windows), 1), np.nan, dtype=np.float32)
        return self.detector.ratios(self.features(windows))

    def conclude(
        self, part: Round, ready: NDArray[np.bool_], ratios: NDArray[np.float32]
    ) -> Judgement:
        """Smooth a round's ratios and say what they mean, in the order of the rounds."""
        scored = ~np.isnan(ratios[:, 0])
        judge = self.judge
        if judge is None:
            return Judgement(None, ready, scored, ratios, np.zeros((len(ratios), 0)))
        if judge.decision.smooth > 1:
            self._smoother.restart(part.restarted)
            ratios = ratios.copy()
            ratios[scored] = self._smoother.mean(part.rows[ready][scored], ratios[scored])
        return Judgement(judge, ready, scored, ratios, judge.by_kind(ratios))

    def forget(self, rows: NDArray[np.intp]) -> None:
        """These turbines get no judgement of their latest block: what follows is not adjacent."""
        self._smoother.restart(rows)

    def history(self, row: int, samples: int) -> NDArray[np.float32]:
        """A turbine's latest unbroken samples (channels, at most ``samples``)."""
        return self._windows.history(row, samples)

    def _values(self, part: Round) -> NDArray[np.float64]:
        first = part.samples[0].names
        if all(samples.names is first or samples.names == first for samples in part.samples):
            values = np.array([samples.values for samples in part.samples])
            same = first is self.names or first == self.names
            return values if same else values[:, self._columns(first)]
        return np.array([samples.values[self._columns(samples.names)] for samples in part.samples])

    def _columns(self, names: tuple[str, ...]) -> NDArray[np.intp]:
        known = self._layouts.get(names)
        if known is None:
            places = {name: place for place, name in enumerate(names)}
            known = np.array([places[name] for name in self.names], dtype=np.intp)
            if len(self._layouts) >= MAX_LAYOUTS:
                self._layouts.clear()
            self._layouts[names] = known
        return known

    def _rearranged(self, names: tuple[str, ...], window: int) -> Windows:
        """Windows of other channels; a channel that was not kept makes them warm up."""
        if self.detector is None or not set(names) <= set(self.names):
            return Windows(self._turbines, len(names), window)
        places = [self.names.index(name) for name in names]
        return self._windows.resized(window, places)


def check_fits(manifest: Manifest, turbines: int) -> None:
    """Raises ``PackageError`` ``too_large`` if the windows would take too much memory."""
    samples = manifest.window * SPARE * len(channels(manifest))
    means = manifest.decision.smooth * len(manifest.features)
    size = 4 * turbines * (samples + means)
    if size > MAX_BUFFER_BYTES:
        raise PackageError(
            "too_large",
            f"windows and smoothing of {turbines} turbines would take {size >> 20} MiB, "
            f"at most {MAX_BUFFER_BYTES >> 20}",
        )


def channels(manifest: Manifest) -> tuple[str, ...]:
    """The channels that are kept for a model, in order."""
    # A miniature's next model may read what this one does not, and must not wait for it.
    return CHANNEL_NAMES if manifest.turbine_type == MINI else manifest.channel_names


def detectors_of(groups: dict[str, TypeScorer]) -> dict[str, Detector]:
    """The models at work, by turbine type; may be asked while the scoring thread changes them."""
    found = sorted(groups.copy().items())
    return {
        turbine_type: type_scorer.detector
        for turbine_type, type_scorer in found
        if type_scorer.detector
    }
