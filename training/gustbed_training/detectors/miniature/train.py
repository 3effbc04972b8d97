"""Training: the same seed and data give the same weights, bit for bit, on one thread."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gustbed_training.detectors.miniature.heads import Head
from gustbed_training.detectors.miniature.model import TurbineModel, statistics
from gustbed_training.progress import Log

_CHUNK = 8192


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train."""

    seed: int = 0
    epochs: int = 20
    batch: int = 256
    learning_rate: float = 3e-3


def train(
    windows: NDArray[np.float32], held_out: NDArray[np.float32], plan: Plan, log: Log
) -> TurbineModel:
    """Fit a model to normal windows (n, features, time); ``held_out`` only shows progress.

    First the heads learn to reconstruct; then they learn how large their errors usually are.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(plan.seed)
    model = TurbineModel(statistics(windows))
    with torch.no_grad():
        prepared = torch.cat([model.prepare(part) for part in _chunks(windows)])
        checked = torch.cat([model.prepare(part) for part in _chunks(held_out)])

    def reconstruction(chosen: Tensor) -> Tensor:
        return _total(head.loss(*terms) for head, *terms in model.heads(prepared[chosen]))

    def held() -> Tensor:
        return _total(head.loss(*terms) for head, *terms in model.heads(checked))

    _fit(model, reconstruction, held, len(prepared), plan, _Progress("reconstruct", log))
    with torch.no_grad():
        known = _sizes(model, prepared)
        known_held = _sizes(model, checked)

    def usual(chosen: Tensor) -> Tensor:
        return _total(h.usual_loss(condition[chosen], size[chosen]) for h, condition, size in known)

    def usual_held() -> Tensor:
        return _total(head.usual_loss(condition, size) for head, condition, size in known_held)

    _fit(model, usual, usual_held, len(prepared), plan, _Progress("usual errors", log))
    return model.eval()


@dataclass(frozen=True, slots=True)
class _Progress:
    stage: str
    log: Log


def _fit(
    model: nn.Module,
    loss_of: Callable[[Tensor], Tensor],
    held_out: Callable[[], Tensor],
    count: int,
    plan: Plan,
    progress: _Progress,
) -> None:
    """Run the epochs of one stage over ``count`` windows in a seeded order."""
    optimizer = torch.optim.Adam(model.parameters(), lr=plan.learning_rate)
    steps = plan.epochs * -(-count // plan.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.learning_rate, steps)
    order = torch.Generator().manual_seed(plan.seed)
    begun = time.monotonic()
    for epoch in range(1, plan.epochs + 1):
        total = 0.0
        shuffled = torch.randperm(count, generator=order)
        for start in range(0, count, plan.batch):
            chosen = shuffled[start : start + plan.batch]
            optimizer.zero_grad()
            loss = loss_of(chosen)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        with torch.no_grad():
            held = held_out().item()
        left = (time.monotonic() - begun) / epoch * (plan.epochs - epoch)
        progress.log(
            f"{progress.stage}: epoch {epoch}/{plan.epochs}, loss {total / count:.4f}, "
            f"held out {held:.4f}, {left:.0f} s left"
        )


def _sizes(model: TurbineModel, prepared: Tensor) -> list[tuple[Head, Tensor, Tensor]]:
    """Every head with its conditions and the logarithm of its errors' sizes."""
    return [
        (head, condition, torch.log(head.size(condition, target) + 1e-6))
        for head, condition, target in model.heads(prepared)
    ]


def _chunks(windows: NDArray[np.float32]) -> Iterator[Tensor]:
    for start in range(0, len(windows), _CHUNK):
        yield torch.from_numpy(windows[start : start + _CHUNK])


def _total(losses: Iterator[Tensor]) -> Tensor:
    return torch.stack(list(losses)).sum()
