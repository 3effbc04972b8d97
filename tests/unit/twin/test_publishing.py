"""A large farm's blocks leave in turns, each with the time at which it was taken."""

import queue
from types import SimpleNamespace
from typing import Any

import numpy as np

from gustbed_core.settings import SiteSettings
from gustbed_core.telemetry import Samples
from gustbed_twin.publisher import service
from gustbed_twin.publisher.impairment import Impairment, ImpairmentShares
from gustbed_twin.publisher.pacing import Clocks, Pacer, phases
from gustbed_twin.publisher.source import Step
from gustbed_twin.settings import TwinSettings

BEGUN = 1_000_000.0
INTERVAL = 0.5


class Clock:
    """Time that passes only while somebody waits for it. Also an event that nobody sets."""

    def __init__(self) -> None:
        self.passed = 0.0

    def wait(self, seconds: float) -> bool:
        self.passed += seconds
        return False

    def clocks(self) -> Clocks:
        return Clocks(lambda: self.passed, lambda: BEGUN + self.passed)


def sent(turbines: int) -> list[tuple[float, float]]:
    """When each turbine's first block left, and when its last sample was taken."""
    clock, left = Clock(), []

    def publish(_position: int, samples: Samples) -> bool:
        left.append((BEGUN + clock.passed, samples.t0 + INTERVAL))
        return True

    names = tuple(f"wt{number}" for number in range(turbines))
    stop: Any = clock
    built: Any = SimpleNamespace(rate_hz=20.0, turbine_ids=names)
    farm = service.Service(
        TwinSettings(),
        SiteSettings(turbines=turbines),
        built,
        publisher=SimpleNamespace(),  # type: ignore[arg-type]
        inbox=queue.Queue(),
        stop=stop,
        impairment=Impairment(publish, ImpairmentShares(), 0),
    )
    pacer = Pacer(INTERVAL, clock.clocks())
    clock.wait(pacer.wait())
    streams = [
        service.Stream(name, "boot", delay)
        for name, delay in zip(names, phases(turbines, INTERVAL), strict=True)
    ]
    step = Step(np.zeros((turbines, 1, 10)), "mini", ("voltage",))
    service._publish(farm, streams, step, pacer)
    return left


def test_blocks_leave_when_their_last_sample_is_taken_in_turns() -> None:
    left = sent(200)
    assert all(abs(at - taken) < 1e-3 for at, taken in left)
    moments = sorted({round(at - BEGUN, 3) for at, _ in left})
    assert moments == [0.5, 0.625, 0.75, 0.875]


def test_a_small_farms_blocks_leave_at_one_moment() -> None:
    assert {at for at, _ in sent(6)} == {BEGUN + INTERVAL}
