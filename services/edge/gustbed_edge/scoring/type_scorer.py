"""The turbines of one type: their windows, and the model that judges them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gustbed_core import decisions
from gustbed_core.decisions import MeanHistory
from gustbed_core.features import Engineer
from gustbed_core.package import Manifest, PackageError
from gustbed_core.signals import Decision
from gustbed_core.turbine_types import TurbineType
from gustbed_edge.commissioning.desk import Desk
from gustbed_edge.events.judge import Judge
from gustbed_edge.scoring.corrected import Corrector, Windowed, served_by
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.verdicts import Judgement, Round
from gustbed_edge.scoring.windows import SPARE, Windows

FEW_CHANNELS = 32
"""Of a type that has no more than these, all are kept: its next model may read what this one does
not, and must not wait for it.
"""
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
    """Which of a round's turbines are ``ready`` (k), and their windows."""

    ready: NDArray[np.bool_]
    windows: NDArray[np.float32]


class TypeScorer:
    """Windows of the turbines of a type, and what its model makes of them.

    Rows are those of the site; a row of another type is never touched. Used by one thread.
    Without a ``desk`` no turbine is judged otherwise than the model itself does.
    """

    def __init__(
        self,
        detector: Detector,
        turbines: int,
        overrides: DecisionOverrides,
        known: TurbineType | None = None,
        desk: Desk | None = None,
    ) -> None:
        self._turbines = turbines
        self._desk = desk
        self._overrides = overrides
        self._known = known
        self.names = kept_channels(detector.manifest, known)
        self._windows = Windows(turbines, len(self.names), detector.manifest.window)
        self._layouts: dict[tuple[str, ...], NDArray[np.intp]] = {}
        self._use(detector)

    def serve(self, detector: Detector) -> None:
        """Judge by this model from now on, with the history that there is."""
        manifest = detector.manifest
        names = kept_channels(manifest, self._known)
        if names != self.names:
            self._windows = self._rearranged(names, manifest.window)
            self.names = names
        elif manifest.window != self._windows.window:
            self._windows = self._windows.resized(manifest.window)
        self._use(detector)

    def take(self, part: Round) -> RoundWindows:
        """Put a round's samples behind those before. Raises ``KeyError`` with a channel that a
        block lacks and the model reads.
        """
        self._windows.restart(part.restarted)
        self._windows.append(part.rows, self._values(part))
        ready = self._windows.ready(part.rows)
        return RoundWindows(ready, self._windows.latest(part.rows[ready]))

    def features(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Windows to what the model sees."""
        return self._engineer(windows)

    def ratios(self, windows: NDArray[np.float32], whose: Windowed) -> NDArray[np.float32]:
        """Windows (n, channels, time) to ratios (n, features), each corrected as its turbine's
        commissioning has it; NaN where the model failed.
        """
        features = self.features(windows)
        if self._corrector is None:
            return self.detector.ratios(features)
        return self._corrector.ratios(self.detector, features, whose)

    def conclude(
        self, part: Round, ready: NDArray[np.bool_], ratios: NDArray[np.float32]
    ) -> Judgement:
        """Smooth a round's ratios and say what they mean, in the order of the rounds."""
        scored = ~np.isnan(ratios[:, 0])
        if self.judge.decision.smooth > 1:
            self.forget(part.restarted)
            ratios = ratios.copy()
            ratios[scored] = self._smoothed(part.rows[ready][scored], ratios[scored])
        by_kind = self.judge.by_kind(ratios)
        return Judgement(self.judge, ready, scored, ratios, by_kind, self._versions(part.rows))

    def forget(self, rows: NDArray[np.intp]) -> None:
        """These turbines get no judgement of their latest block: what follows is not adjacent."""
        self._history.filled[rows] = 0
        self._history.ratios[rows] = 0.0

    def _versions(self, rows: NDArray[np.intp]) -> list[str] | None:
        standing = self._corrector.standing if self._corrector else None
        return standing.versions_of(rows) if standing else None

    def history(self, row: int, samples: int) -> NDArray[np.float32]:
        """A turbine's latest unbroken samples (channels, at most ``samples``)."""
        return self._windows.history(row, samples)

    def _use(self, detector: Detector) -> None:
        manifest = detector.manifest
        decision = self._overrides.instead_of(manifest.decision)
        self.detector = detector
        self._layouts.clear()
        self.judge = Judge.of(manifest, decision)
        self._corrector = None
        if self._desk is not None:
            served = served_by(detector, decision)
            self._desk.served[manifest.turbine_type] = served
            self._corrector = Corrector(self._desk, served, self._turbines)
        self._engineer = Engineer(manifest.features, self.names)
        self._history = MeanHistory.empty(self._turbines, decision.smooth, len(manifest.features))

    def _smoothed(self, rows: NDArray[np.intp], ratios: NDArray[np.float32]) -> NDArray[np.float32]:
        kept = self._history
        before = MeanHistory(kept.ratios[rows], kept.filled[rows])
        length = self.judge.decision.smooth
        means, after = decisions.moving_mean(ratios[:, None, :], before, length)
        kept.ratios[rows], kept.filled[rows] = after.ratios, after.filled
        return means[:, 0]

    def _values(self, part: Round) -> NDArray[np.float64]:
        if part.names == self.names:
            return part.values
        places = self._places(part.names)
        values = part.values[:, places]
        # What no model reads yet may be missing; should one come that does, it says "unknown".
        values[:, places < 0] = np.nan
        return values

    def _places(self, names: tuple[str, ...]) -> NDArray[np.intp]:
        known = self._layouts.get(names)
        if known is None:
            places = {name: place for place, name in enumerate(names)}
            read = set(self.detector.manifest.channel_names)
            known = np.array(
                [places[name] if name in read else places.get(name, -1) for name in self.names],
                dtype=np.intp,
            )
            if len(self._layouts) >= MAX_LAYOUTS:
                self._layouts.clear()
            self._layouts[names] = known
        return known

    def _rearranged(self, names: tuple[str, ...], window: int) -> Windows:
        """Windows of other channels; a channel that was not kept makes them warm up."""
        if not set(names) <= set(self.names):
            return Windows(self._turbines, len(names), window)
        places = [self.names.index(name) for name in names]
        return self._windows.resized(window, places)


def check_fits(manifest: Manifest, turbines: int, known: TurbineType | None = None) -> None:
    """Raises ``PackageError`` ``too_large`` if the windows would take too much memory, and
    ``wrong_features`` if the model reads what its type (if it has a file) does not measure.
    """
    if known is not None:
        unknown = sorted(set(manifest.channel_names).difference(known.channel_names))
        if unknown:
            raise PackageError(
                "wrong_features", f"type {known.name} has no channel {unknown[0][:64]!r}"
            )
    samples = manifest.window * SPARE * len(kept_channels(manifest, known))
    means = manifest.decision.smooth * len(manifest.features)
    size = 4 * turbines * (samples + means)
    if size > MAX_BUFFER_BYTES:
        raise PackageError(
            "too_large",
            f"windows and smoothing of {turbines} turbines would take {size >> 20} MiB, "
            f"at most {MAX_BUFFER_BYTES >> 20}",
        )


def kept_channels(manifest: Manifest, known: TurbineType | None) -> tuple[str, ...]:
    """The channels that are kept for a model, in order."""
    if known is None or len(known.channels) > FEW_CHANNELS:
        return manifest.channel_names
    return known.channel_names


def detectors_of(scorers: Mapping[str, TypeScorer]) -> dict[str, Detector]:
    """The models at work, by turbine type; may be asked while the scoring thread changes them."""
    return {name: scorer.detector for name, scorer in sorted(dict(scorers).items())}
