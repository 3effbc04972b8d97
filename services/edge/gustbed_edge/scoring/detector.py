"""Scores windows of all turbines with a model package's ONNX graph."""

import logging
import statistics
import threading
import time
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from gustbed_core.events import ModelRef
from gustbed_core.features import Engineer
from gustbed_core.package import INPUT, RATIO, Manifest, Package, PackageError

log = logging.getLogger(__name__)

GOLDEN_TOLERANCE = 1e-4
MAX_BATCH = 128
"""Windows per run: larger batches only push a convolutional model out of the caches."""
LATENCY_RUNS = 5
RUN_LIMIT_SECONDS = 10.0


class Detector:
    """A loaded model. Raises ``PackageError`` with reason ``unloadable`` if it cannot load, and
    ``wrong_graph`` if it cannot be used.
    """

    def __init__(self, package: Package) -> None:
        self.manifest: Manifest = package.manifest
        self.model = ModelRef(package.manifest.name, package.manifest.version)
        self.card = package.card
        self._engineer = Engineer(package.manifest.features, package.manifest.channel_names)
        try:
            self._session: Any = _session(package.model)
            inputs = [(i.name, i.type, len(i.shape)) for i in self._session.get_inputs()]
            outputs = {output.name for output in self._session.get_outputs()}
        except Exception as error:
            raise PackageError("unloadable", f"onnxruntime: {_first_line(error)}") from error
        if inputs != [(INPUT, "tensor(float)", 3)] or RATIO not in outputs:
            raise PackageError(
                "wrong_graph", f"graph takes {inputs} and gives {sorted(outputs)}; not ours"
            )

    def score(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        """Windows (n, channels, time) of the manifest's channels to ratios (n, features).

        A row that the model cannot score is NaN; the other rows are not touched by it.
        """
        return self.ratios(self._engineer(windows))

    def ratios(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Feature windows (n, features, time) to ratios (n, features); NaN where it failed."""
        result = np.full((len(features), len(self.manifest.features)), np.nan, dtype=np.float32)
        for start in range(0, len(features), MAX_BATCH):
            part = slice(start, start + MAX_BATCH)
            result[part] = self._guarded(features[part])
        result[~np.isfinite(result).all(axis=1)] = np.nan
        return result

    def _guarded(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            return self._run(features)
        except Exception as error:  # noqa: BLE001 - whatever a model does, telemetry goes on
            if len(features) == 1:
                log.warning("model %s failed: %s", self.model.version, _first_line(error))
                return np.full((1, len(self.manifest.features)), np.nan, dtype=np.float32)
        # One turbine's window may be what breaks the run: find it, and score the others.
        return np.concatenate([self._guarded(features[i : i + 1]) for i in range(len(features))])

    def _run(
        self, features: NDArray[np.float32], options: ort.RunOptions | None = None
    ) -> NDArray[np.float32]:
        ratios: NDArray[np.float32] = self._session.run([RATIO], {INPUT: features}, options)[0]
        if ratios.shape != (len(features), len(self.manifest.features)):
            raise PackageError("wrong_graph", f"ratio has shape {ratios.shape}")
        return ratios

    def timed(
        self, features: NDArray[np.float32], limit: float
    ) -> tuple[NDArray[np.float32], float]:
        """Ratios of a run, and the seconds it took; one of more than ``limit`` seconds is ended.

        Raises ``PackageError`` ``too_slow`` or ``failed``. A row that is not finite is NaN.
        """
        options = ort.RunOptions()
        timer = threading.Timer(limit, lambda: setattr(options, "terminate", True))
        timer.daemon = True
        parts = [features[i : i + MAX_BATCH] for i in range(0, len(features), MAX_BATCH)]
        start = time.perf_counter()
        timer.start()
        try:
            ratios = np.concatenate([self._run(part, options) for part in parts])
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
    taken = statistics.median(
        detector.timed(load, RUN_LIMIT_SECONDS)[1] for _ in range(LATENCY_RUNS)
    )
    if taken > max_scoring_time:
        raise PackageError(
            "too_slow",
            f"{taken * 1e3:.0f} ms to score {turbines} turbines, "
            f"at most {max_scoring_time * 1e3:.0f} ms",
        )


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
