"""A made-up machine with four signals, and what every detector must keep to."""

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import nn

from gustbed_core.commissioning.correction import explained_away
from gustbed_core.event_kinds import SENSOR
from gustbed_core.features import Feature
from gustbed_core.signals import ChannelSpec, Schema
from gustbed_training.detectors.base import Detector, FitData, Plan, Thresholded
from gustbed_training.detectors.export import to_onnx
from gustbed_training.detectors.scoring import scorer

NAMES = ("speed", "power", "heat", "noise")
WINDOW = 24
LEVELS = np.array([10.0, 200.0, 50.0, 0.1])
SPREADS = np.array([1.0, 20.0, 2.0, 0.01])
"""Per sample, about."""


def schema(window: int = WINDOW, step: int = 1) -> Schema:
    """The machine's."""
    return Schema(
        turbine_type="toy",
        sample_rate_hz=1.0,
        channels=tuple(ChannelSpec(name, "1") for name in NAMES),
        features=tuple(Feature(name, "1") for name in NAMES),
        violations={SENSOR: NAMES},
        window=window,
        step=step,
    )


def signals(samples: int, seed: int) -> np.ndarray:
    """Normal signals (features, samples): power follows speed."""
    rng = np.random.default_rng(seed)
    white = rng.normal(size=(4, samples))
    white[1] = 0.8 * white[0] + 0.6 * white[1]
    return (LEVELS[:, None] + SPREADS[:, None] * white).astype(np.float32)


def windows(values: np.ndarray, window: int = WINDOW, step: int = 1) -> np.ndarray:
    """(n, features, window)."""
    view = sliding_window_view(values, window, axis=1)[:, ::step]
    return np.ascontiguousarray(view.transpose(1, 0, 2))


def fit_data(seed: int = 0, samples: int = 300, window: int = WINDOW) -> FitData:
    """One recording, and a stretch held out."""
    train = windows(signals(samples, seed), window)
    held = windows(signals(samples, seed + 1000), window)
    return FitData(schema(window), train, [train], [held])


def fitted(detector: Detector, data: FitData | None = None, seed: int = 0) -> nn.Module:
    """Trained shortly."""
    return detector.fit(data or fit_data(), Plan(seed=seed, epochs=2), lambda _: None)


def scores(module: nn.Module, of: np.ndarray) -> np.ndarray:
    """(n, features)."""
    with torch.no_grad():
        found: np.ndarray = module(torch.from_numpy(of)).numpy()
    return found


def ratios(module: nn.Module, of: np.ndarray) -> np.ndarray:
    """To what normal windows reach."""
    usual = np.quantile(scores(module, windows(signals(2000, 77))), 0.99, axis=0)
    found: np.ndarray = scores(module, of) / usual
    return found


def offset_windows(feature: int, size: float = 5.0, seed: int = 5) -> np.ndarray:
    """Windows of a signal that is off by so many of its spreads."""
    values = signals(200, seed)
    values[feature] += size * SPREADS[feature]
    return windows(values.astype(np.float32))


def check_exported_graph_agrees(module: nn.Module, of: np.ndarray) -> None:
    """ONNX and PyTorch: scores to 1e-4 of their size."""
    features, window = of.shape[1:]
    halving = Thresholded(module, [2.0] * features).eval()
    found, halved = scorer(to_onnx(halving, features, window))(of)
    expected = scores(module, of)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    none = np.zeros((features, features), dtype=np.float32)
    explains = getattr(module, "explains", None)
    ratios = explained_away(
        (expected / 2).astype(np.float32), none if explains is None else explains.numpy()
    )
    np.testing.assert_allclose(halved, ratios, rtol=1e-4, atol=1e-4)


def check_batch_does_not_matter(module: nn.Module, of: np.ndarray) -> None:
    """A window's score is its own."""
    together = scores(module, of)
    alone = np.concatenate([scores(module, one[None]) for one in of])
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-5)
    backwards = scores(module, np.ascontiguousarray(of[::-1]))[::-1]
    np.testing.assert_allclose(backwards, together, rtol=1e-4, atol=1e-5)


def weights(module: nn.Module) -> dict[str, np.ndarray]:
    """All that a module holds."""
    return {name: value.numpy() for name, value in module.state_dict().items()}


def check_same_weights(one: nn.Module, other: nn.Module) -> None:
    """To the bit."""
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)
