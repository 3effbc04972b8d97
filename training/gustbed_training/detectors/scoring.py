"""Running an exported graph, as the edge does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from gustbed_core.decisions import MeanHistory, moving_mean
from gustbed_core.errors import GustbedError
from gustbed_core.package import INPUT, RATIO, SCORE, Package, read_package
from gustbed_core.signals import Decision

Scores = tuple[NDArray[np.float32], NDArray[np.float32]]
Scorer = Callable[[NDArray[np.float32]], Scores]
"""Windows (n, features, time) to scores and ratios, each (n, features)."""
_BATCH = 32
"""Windows at a time: larger batches of the largest windows leave the processor's cache."""


def session(model: bytes) -> ort.InferenceSession:
    """A graph on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def scorer(model: bytes) -> Scorer:
    """Load a graph on one thread. Any number of windows is scored, in bounded batches."""
    graph = session(model)

    def score(windows: NDArray[np.float32]) -> Scores:
        if not len(windows):
            nothing = np.empty(windows.shape[:2], dtype=np.float32)
            return nothing, nothing
        parts = [
            graph.run([SCORE, RATIO], {INPUT: windows[i : i + _BATCH]})
            for i in range(0, len(windows), _BATCH)
        ]
        scores = np.concatenate([part[0] for part in parts])
        ratios = np.concatenate([part[1] for part in parts])
        return scores, ratios

    return score


def smoothed(ratios: NDArray[np.floating], decision: Decision) -> NDArray[np.float32]:
    """One recording's scores or ratios (n, features) as they are decided on."""
    history = MeanHistory.empty(1, decision.smooth, ratios.shape[1])
    means: NDArray[np.float32] = moving_mean(ratios[None], history, decision.smooth)[0][0]
    return means


def load_package(path: Path) -> Package:
    """Read a package file. Raises ``GustbedError`` naming it."""
    try:
        return read_package(path.read_bytes())
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "name a package.tar.gz") from error
    except GustbedError as error:
        raise GustbedError(f"{path}: {error}", "make the package again") from error
