"""Training: the same seed and data give the same weights, bit for bit, on one thread."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gustbed_training.model import TurbineModel, statistics


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train."""

    seed: int = 0
    epochs: int = 30
    batch: int = 256
    learning_rate: float = 3e-3


def train(
    windows: NDArray[np.float32],
    held_out: NDArray[np.float32],
    plan: Plan,
    say: Callable[[str], None],
) -> TurbineModel:
    """Fit a model to normal windows (n, features, time); ``held_out`` only shows progress."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(plan.seed)
    model = TurbineModel(statistics(windows))
    with torch.no_grad():
        prepared = model.prepare(torch.from_numpy(windows))
        checked = model.prepare(torch.from_numpy(held_out))
    optimizer = torch.optim.Adam(model.parameters(), lr=plan.learning_rate)
    steps = plan.epochs * -(-len(prepared) // plan.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.learning_rate, steps)
    order = torch.Generator().manual_seed(plan.seed)
    begun = time.monotonic()
    for epoch in range(1, plan.epochs + 1):
        total = 0.0
        for chosen in torch.randperm(len(prepared), generator=order).split(plan.batch):
            optimizer.zero_grad()
            loss = model.loss(prepared[chosen])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        with torch.no_grad():
            held = float(model.loss(checked))
        left = (time.monotonic() - begun) / epoch * (plan.epochs - epoch)
        say(
            f"epoch {epoch}/{plan.epochs}: loss {total / len(prepared):.4f}, "
            f"held out {held:.4f}, {left:.0f} s left"
        )
    return model.eval()
