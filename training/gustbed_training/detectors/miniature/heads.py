"""What reconstructs: one head per violation, from what drives its features."""

import torch
from torch import Tensor, nn

USUAL = 0.98
"""Quantile of the error's size that counts as the largest usual one."""


class Head(nn.Module):
    """Reconstructs a target and says how far off it is, against what is usual for its condition.

    Gusts and standstills are harder to follow than a steady wind, so the largest usual error is
    itself a function of the condition: one threshold then suits all weathers.
    """

    def __init__(self, condition: int, sizes: int, hidden: int) -> None:
        super().__init__()
        self.log_usual = _perceptron(condition, hidden, sizes)

    def loss(self, condition: Tensor, target: Tensor) -> Tensor:
        """What the reconstruction is trained with."""
        raise NotImplementedError

    def size(self, condition: Tensor, target: Tensor) -> Tensor:
        """Size of the error, (n, sizes)."""
        raise NotImplementedError

    def usual_loss(self, condition: Tensor, log_size: Tensor) -> Tensor:
        """Pinball loss of the high quantile of the error's size, given the condition."""
        excess = log_size - self.log_usual(condition)
        return torch.maximum(USUAL * excess, (USUAL - 1) * excess).mean()

    def score(self, condition: Tensor, target: Tensor) -> Tensor:
        """Size of the error over the largest that is usual, (n, sizes)."""
        return self.size(condition, target) * torch.exp(-self.log_usual(condition))


class ConditionalHead(Head):
    """Reconstructs a slow signal from what drives it.

    The linear part extrapolates; the correction saturates, so that conditions outside the training
    range cannot blow it up. Errors are decorrelated along the window, for inertia makes neighbours
    alike. ``lowest`` is the least that the target can be: the value of 0 once normalised.
    """

    def __init__(self, condition: int, target: int, hidden: int, lowest: float) -> None:
        super().__init__(condition, 1, hidden)
        self.lowest = lowest
        self.linear = nn.Linear(condition, target)
        self.correct = _perceptron(condition, hidden, target)
        self.whiten = nn.Parameter(torch.zeros(target, target))
        self.log_precision = nn.Parameter(torch.zeros(target))
        self.shapes: Tensor
        self.register_buffer("shapes", _shapes(target))

    def loss(self, condition: Tensor, target: Tensor) -> Tensor:
        """Gaussian negative log likelihood, up to a constant."""
        error = self._error(condition, target)
        return 0.5 * error.square().mean() - self.log_precision.mean()

    def size(self, condition: Tensor, target: Tensor) -> Tensor:
        """Size of the error along the shapes that faults take, or in any other way."""
        error = self._error(condition, target)
        directions = self._decorrelate(self.shapes)
        directions = directions / directions.square().sum(1, keepdim=True).sqrt()
        along = (error @ directions.T).abs().amax(1, keepdim=True)
        return torch.maximum(along, _rms(error)[:, None])

    def _error(self, condition: Tensor, target: Tensor) -> Tensor:
        expected = self.linear(condition) + self.correct(condition)
        return self._decorrelate(target - torch.clamp(expected, min=self.lowest))

    def _decorrelate(self, residual: Tensor) -> Tensor:
        unmixed = residual + residual @ torch.tril(self.whiten, -1).T
        return unmixed * torch.exp(self.log_precision)


class AutoencoderHead(Head):
    """Reconstructs signals (n, signals, length) through a bottleneck: what is unusual is lost."""

    def __init__(self, condition: int, signals: int, length: int, hidden: int, latent: int) -> None:
        super().__init__(condition, signals, hidden)
        self.signals, self.length = signals, length
        self.encode = nn.Linear(signals * length, latent)
        self.decode = nn.Linear(latent, signals * length)

    def loss(self, condition: Tensor, target: Tensor) -> Tensor:
        """Mean square error."""
        return self._error(target).square().mean()

    def size(self, condition: Tensor, target: Tensor) -> Tensor:
        """Root mean square error of each signal."""
        return _rms(self._error(target))

    def _error(self, target: Tensor) -> Tensor:
        latent = torch.tanh(self.encode(target.flatten(1)))
        decoded: Tensor = self.decode(latent).reshape(-1, self.signals, self.length)
        return target - decoded


def _perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """A bounded function that starts as 0."""
    last = nn.Linear(hidden, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), last)


def _shapes(length: int) -> Tensor:
    """Errors that last (length,): an offset, and drifts that set in sooner or later."""
    time = torch.arange(length, dtype=torch.float32)
    drifts = [torch.clamp(time - begin + 1, min=0) for begin in range(0, length // 2 + 1, 2)]
    return torch.stack((torch.ones(length), *drifts))


def _rms(error: Tensor) -> Tensor:
    return error.square().mean(-1).sqrt()
