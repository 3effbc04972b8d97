"""Principal components as a yardstick: the plainest reconstruction that a model must beat."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gustbed_training.detectors.scoring import Scorer, Scores
from gustbed_training.detectors.thresholds import Target, threshold
from gustbed_training.model import statistics
from gustbed_training.recordings import SAMPLE_RATE_HZ
from gustbed_training.shares import Shares, windows_of
from gustbed_training.windows import STEP

COMPONENTS = 24


def pca_scorer(shares: Shares, target: Target, components: int = COMPONENTS) -> Scorer:
    """Fit components to the training windows, and thresholds to the held-out ones.

    The score of a feature is the root mean square of its reconstruction error in the window.
    """
    windows = windows_of(shares.train)
    measured = statistics(windows)

    def flat(raw: NDArray[np.float32]) -> NDArray[np.float32]:
        normal = (raw - measured.mean[:, None]) / measured.std[:, None]
        return normal.reshape(len(raw), -1).astype(np.float32)

    samples = flat(windows)
    _, vectors = np.linalg.eigh(samples.T @ samples / len(samples))
    basis = vectors[:, -components:].astype(np.float32)
    score = _scorer(flat, basis, np.ones(windows.shape[1], dtype=np.float32))
    held = [part.windows() for part in shares.calibrate]
    scores = [score(each)[0] for each in held]
    found = [
        threshold([each[:, i] for each in scores], target, 3600 * SAMPLE_RATE_HZ / STEP)
        for i in range(windows.shape[1])
    ]
    limits = np.array(found, dtype=np.float32)
    return _scorer(flat, basis, limits)


def _scorer(
    flat: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    basis: NDArray[np.float32],
    thresholds: NDArray[np.float32],
) -> Scorer:
    def score(windows: NDArray[np.float32]) -> Scores:
        samples = flat(windows)
        errors = (samples - samples @ basis @ basis.T).reshape(windows.shape)
        scores = np.sqrt(np.square(errors).mean(axis=2))
        return scores, scores / thresholds

    return score
