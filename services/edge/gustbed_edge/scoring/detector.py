"""Scores windows of all turbines with a model package's ONNX graph."""

import logging
import statistics
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from gustbed_core.commissioning.correction import uncorrected_ratios
from gustbed_core.commissioning.population import TERM_OUTPUTS, Population, Terms, term_shapes
from gustbed_core.events import ModelRef
from gustbed_core.features import Engineer
from gustbed_core.package import INPUT, RATIO, Manifest, Package, PackageError, fingerprint

log = logging.getLogger(__name__)

GOLDEN_TOLERANCE = 5e-4
"""Of a ratio, above 1 of its size: processors differ by so much in sums of single precision."""
MAX_BATCH = 128
"""Windows per run: larger batches only push a convolutional model out of the caches."""
LATENCY_RUNS = 5
RUN_LIMIT_SECONDS = 10.0
Floats = NDArray[np.float32]


class Detector:
    """A loaded model. Raises ``PackageError`` with reason ``unloadable`` if it cannot load, and
    ``wrong_graph`` if it cannot be used.

    ``population`` is None for a model that cannot be commissioned; ``fingerprint`` is what
    corrections of its errors belong to.
    """

    def __init__(self, package: Package) -> None:
        self.manifest: Manifest = package.manifest
        self.model = ModelRef(package.manifest.name, package.manifest.version)
        self.card = package.card
        self.population: Population | None = package.population
        self.fingerprint = fingerprint(package)
        self._outputs = [RATIO] if package.population is None else [RATIO, *TERM_OUTPUTS]
        self._engineer = Engineer(package.manifest.features, package.manifest.channel_names)
        try:
            self._session: Any = _session(package.model)
            inputs = [(i.name, i.type, len(i.shape)) for i in self._session.get_inputs()]
            outputs = {output.name for output in self._session.get_outputs()}
        except Exception as error:
            raise PackageError("unloadable", f"onnxruntime: {_first_line(error)}") from error
        if inputs != [(INPUT, "tensor(float)", 3)] or not outputs.issuperset(self._outputs):
            raise PackageError(
                "wrong_graph", f"graph takes {inputs} and gives {sorted(outputs)}; not ours"
            )

    def score(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        """Windows (n, channels, time) of the manifest's channels to ratios (n, features).

        A row that the model cannot score is NaN; the other rows are not touched by it.
        """
        return self.ratios(self._engineer(windows))

    def ratios(self, features: Floats) -> Floats:
        """Feature windows (n, features, time) to ratios (n, features); NaN where it failed."""
        (ratios,) = self._all(features, [RATIO])
        ratios[~np.isfinite(ratios).all(axis=1)] = np.nan
        return ratios

    def ratios_and_terms(self, features: Floats) -> tuple[Floats, Terms]:
        """The same with what a correction is made of; both NaN where the model failed.

        Raises ``PackageError`` ``wrong_graph`` for one that has no population.
        """
        if self.population is None:
            raise PackageError("wrong_graph", "a model without a population gives no terms")
        arrays = self._all(features, self._outputs)
        whole = np.logical_and.reduce(
            [np.isfinite(array).reshape(len(array), -1).all(axis=1) for array in arrays]
        )
        for array in arrays:
            array[~whole] = np.nan
        return arrays[0], Terms(*arrays[1:])

    def _all(self, features: Floats, names: Sequence[str]) -> list[Floats]:
        result = [
            np.full((len(features), *shape), np.nan, dtype=np.float32)
            for shape in self._shapes(names)
        ]
        for start in range(0, len(features), MAX_BATCH):
            part = slice(start, start + MAX_BATCH)
            for whole, found in zip(result, self._guarded(features[part], names), strict=True):
                whole[part] = found
        return result

    def _shapes(self, names: Sequence[str]) -> list[tuple[int, ...]]:
        """Of outputs, for one window."""
        known: dict[str, tuple[int, ...]] = {RATIO: (len(self.manifest.features),)}
        if self.population is not None:
            known |= term_shapes(self.population)
        return [known[name] for name in names]

    def _guarded(self, features: Floats, names: Sequence[str]) -> list[Floats]:
        try:
            return self._run(features, names)
        except Exception as error:  # noqa: BLE001 - whatever a model does, telemetry goes on
            if len(features) == 1:
                log.warning("model %s failed: %s", self.model.version, _first_line(error))
                return [np.full((1, *shape), np.nan, np.float32) for shape in self._shapes(names)]
        # One turbine's window may be what breaks the run: find it, and score the others.
        alone = [self._guarded(features[i : i + 1], names) for i in range(len(features))]
        return [np.concatenate(parts) for parts in zip(*alone, strict=True)]

    def _run(
        self, features: Floats, names: Sequence[str], options: ort.RunOptions | None = None
    ) -> list[Floats]:
        arrays: list[Floats] = self._session.run(names, {INPUT: features}, options)
        for name, array, shape in zip(names, arrays, self._shapes(names), strict=True):
            if array.shape != (len(features), *shape) or array.dtype != np.float32:
                raise PackageError("wrong_graph", f"{name} is {array.dtype} {array.shape}")
        return arrays

    def timed(
        self, features: Floats, limit: float, *, with_terms: bool = False
    ) -> tuple[Floats, float]:
        """Ratios of a run, and the seconds it took; one of more than ``limit`` seconds is ended.

        ``with_terms`` lets it give what corrections need too. Raises ``PackageError``
        ``too_slow`` or ``failed``. A row that is not finite is NaN.
        """
        names = self._outputs if with_terms else [RATIO]
        options = ort.RunOptions()
        timer = threading.Timer(limit, lambda: setattr(options, "terminate", True))
        timer.daemon = True
        parts = [features[i : i + MAX_BATCH] for i in range(0, len(features), MAX_BATCH)]
        start = time.perf_counter()
        timer.start()
        try:
            ratios = np.concatenate([self._run(part, names, options)[0] for part in parts])
        except Exception as error:
            if options.terminate:
                raise PackageError("too_slow", f"ended after {limit:g} s") from error
            raise PackageError("failed", f"onnxruntime: {_first_line(error)}") from error
        finally:
            timer.cancel()
        ratios[~np.isfinite(ratios).all(axis=1)] = np.nan
        return ratios, time.perf_counter() - start


def check_golden(
    package: Package, detector: Detector, *, turbines: int, max_scoring_time: float
) -> None:
    """Let a model show on this device that it is right and fast enough.

    Raises ``PackageError`` with reason ``golden_failed``, ``golden_mismatch`` or ``too_slow``.
    """
    repeats = -(-turbines // len(package.golden_windows))
    load = np.tile(package.golden_windows, (repeats, 1, 1))[:turbines]
    try:
        detector.timed(package.golden_windows[:1], RUN_LIMIT_SECONDS)
        ratios, _ = detector.timed(package.golden_windows, RUN_LIMIT_SECONDS)
    except PackageError as failure:
        raise PackageError("golden_failed", failure.detail) from failure
    if not np.isfinite(ratios).all():
        raise PackageError("golden_failed", "the model gives NaN or fails on its golden windows")
    # Relative above 1, where a ratio is far past its threshold and only its size grows.
    error = np.abs(ratios - package.golden_ratios) / np.maximum(1, np.abs(package.golden_ratios))
    if float(error.max()) > GOLDEN_TOLERANCE:
        raise PackageError(
            "golden_mismatch",
            f"golden ratios differ by {float(error.max()):.2g}, at most {GOLDEN_TOLERANCE:g}",
        )
    _check_terms(package, detector)
    taken = statistics.median(
        detector.timed(load, RUN_LIMIT_SECONDS, with_terms=True)[1] for _ in range(LATENCY_RUNS)
    )
    if taken > max_scoring_time:
        raise PackageError(
            "too_slow",
            f"{taken * 1e3:.0f} ms to score {turbines} turbines, "
            f"at most {max_scoring_time * 1e3:.0f} ms",
        )


def _check_terms(package: Package, detector: Detector) -> None:
    """What a correction starts from must be what the graph itself judges by."""
    population = detector.population
    if population is None:
        return
    ratios, terms = detector.ratios_and_terms(package.golden_windows)
    if not np.isfinite(ratios).all():
        raise PackageError("golden_failed", "the model's terms are not finite, or of wrong shape")
    again = uncorrected_ratios(terms, population.explains)
    error = np.abs(ratios - again) / np.maximum(1, np.abs(ratios))
    if not float(error.max()) <= GOLDEN_TOLERANCE:
        raise PackageError(
            "golden_mismatch",
            f"ratios and the terms that they are made of differ by {float(error.max()):.2g}, "
            f"at most {GOLDEN_TOLERANCE:g}",
        )
    if not (terms.basis[..., 0] == 1).all():
        raise PackageError("golden_mismatch", "the basis of corrections must begin with 1")


def _session(model: bytes) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # The arena keeps its largest size for ever, which a small gateway cannot spare.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
