"""The reference systems' convolutional autoencoder, as a yardstick.

Same layers, loss, optimiser and rates; 83,782 parameters for six features. Theirs takes 100
samples as a picture of 10 x 10; here a window of any length becomes the squarest picture that
holds it. What differs: windows are shuffled with a seed, training ends once its loss has converged,
and no wavelet denoising, whose statistics the reference takes from all data at once. A GPU is used
where PyTorch sees one: on two cores the reference's 200 epochs take hours.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from gustbed_training.detectors.base import FitData, Plan
from gustbed_training.detectors.standardization import Standardize
from gustbed_training.progress import Log

EPOCHS = 20
"""Of a single training where nobody says how many."""
ORIGINAL_EPOCHS = 200
"""What the reference systems train for."""
PATIENCE, LEAST_GAIN = 20, 0.001
"""Converged: the best loss of so many epochs is not lower than the best one before them by this
share of it.
"""
_RATE, _BATCH, _DROPOUT = 1e-4, 256, 0.001
_MOST = 20_000
"""Windows an epoch: the reference's own dataset is smaller."""
_LOG_LINES = 10
_FEWEST_STEPS = 600
"""With a few hundred windows an epoch is two steps, which would leave it as it began."""


class ReferenceAutoencoder:
    """Detector by the reference autoencoder; a feature's score is its mean absolute error."""

    name = "reference"

    def fit(self, data: FitData, plan: Plan, log: Log) -> nn.Module:
        """Train. Equal seeds give equal weights, on a processor; a GPU's may differ in the last
        digits from one kind to another.
        """
        every = -(-len(data.windows) // _MOST)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        gpus = [torch.cuda.current_device()] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=gpus):
            torch.manual_seed(plan.seed)
            model = Autoencoder(data.windows).to(device)
            windows = torch.from_numpy(np.ascontiguousarray(data.windows[::every])).to(device)
            epochs = _count(len(windows), plan)
            losses: list[float] = []
            for loss in _epochs(model, windows, epochs):
                losses.append(loss)
                # The first one, too: minutes may pass until the next line.
                if len(losses) == 1 or len(losses) % max(1, epochs // _LOG_LINES) == 0:
                    log(f"epoch {len(losses)} of {epochs} on {device.type}: loss {loss:.4f}")
                if converged(losses):
                    log(f"converged after {len(losses)} epochs of {epochs}: loss {loss:.4f}")
                    break
        return model.cpu().eval()


def converged(losses: Sequence[float]) -> bool:
    """Whether so many last epochs have gained next to nothing."""
    before, last = losses[:-PATIENCE], losses[-PATIENCE:]
    return bool(before) and min(last) > (1 - LEAST_GAIN) * min(before)


class Autoencoder(nn.Module):
    """Windows (n, features, time) to mean absolute errors (n, features)."""

    def __init__(self, windows: NDArray[np.float32]) -> None:
        super().__init__()
        _, self.features, self.time = windows.shape
        self.height = max(1, int(self.time**0.5))
        self.width = -(-self.time // self.height)
        self.normal = Standardize(windows)
        self.layers = _layers(self.features)

    def forward(self, window: Tensor) -> Tensor:
        normal: Tensor = self.normal(window)
        return (self.rebuilt(normal) - normal).abs().mean(-1)

    def rebuilt(self, normal: Tensor) -> Tensor:
        """What the autoencoder makes of normal windows."""
        spare = self.height * self.width - self.time
        if spare:
            # The newest sample is repeated: zeros would be a step that no signal makes.
            normal = torch.cat((normal, normal[:, :, -1:].expand(-1, -1, spare)), dim=2)
        picture = normal.reshape(-1, self.features, self.height, self.width)
        rebuilt: Tensor = self.layers(picture).flatten(2)
        return rebuilt[:, :, : self.time]


def _layers(features: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(features, 32, 2, padding=1),
        nn.ReLU(),
        nn.Dropout(_DROPOUT),
        nn.Conv2d(32, 64, 2, padding=1),
        nn.ReLU(),
        nn.Dropout(_DROPOUT),
        nn.Conv2d(64, 128, 2, padding=2),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 2, padding=2),
        nn.ReLU(),
        nn.Dropout(_DROPOUT),
        nn.ConvTranspose2d(64, 32, 2, padding=1),
        nn.ReLU(),
        nn.Dropout(_DROPOUT),
        nn.ConvTranspose2d(32, features, 2, padding=1),
    )


def _count(windows: int, plan: Plan) -> int:
    steps = -(-windows // _BATCH)
    return max(EPOCHS, -(-_FEWEST_STEPS // steps)) if plan.epochs is None else plan.epochs


def _epochs(model: Autoencoder, windows: Tensor, epochs: int) -> Iterator[float]:
    """Train one epoch at a time, yielding its mean loss. The order is the processor's, whatever
    the windows are on.
    """
    optimiser = torch.optim.Adam(model.parameters(), lr=_RATE)
    model.train()
    for _ in range(epochs):
        total = torch.zeros((), dtype=torch.float64, device=windows.device)
        order = torch.randperm(len(windows)).to(windows.device)
        for i in range(0, len(windows), _BATCH):
            batch = order[i : i + _BATCH]
            normal = model.normal(windows[batch])
            loss = functional.mse_loss(model.rebuilt(normal), normal)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += loss.detach() * len(batch)
        yield float(total) / len(windows)
