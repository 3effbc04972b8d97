"""The variable-speed machine's values, as they were before its state got names."""

from pathlib import Path

import numpy as np
import pytest

from gustbed_twin.farms.variable_speed import VariableSpeedFarm
from gustbed_twin.faults.variable_speed import CATALOGUE, KINDS
from gustbed_twin.records import WakeTable
from gustbed_twin.turbine.model import prepare_model
from gustbed_twin.turbine.variable_speed import load_variable_speed
from gustbed_twin.wind.request import Event
from gustbed_twin.wind.site import Conditions

SEEDS = (1, 2, 5)
REFERENCE = Path(__file__).with_name("kernel_reference.npz")
"""Mean and standard deviation of every turbine's signals over 250 s of a farm with every fault,
wakes, gusts and commands, in uneven blocks. ``python -m tests.unit.twin.test_kernel_unchanged``
writes it anew."""
SAMPLES = 5000


def recorded_farm(seed: int) -> VariableSpeedFarm:
    events = (Event(20.0, "eog", 9.0), Event(60.0, "ramp", 16.0, 40.0),
              Event(150.0, "turn", 30.0, 20.0))  # fmt: skip
    mean = 7.0 + 2.0 * seed
    conditions = Conditions(mean=mean, turbulence=0.12, diurnal=0.1, events=events)
    count = len(KINDS) + 2
    share = np.linspace(0.7, 1.0, 8 * 5 * count).reshape(8, 5, count)
    machine = prepare_model(load_variable_speed("nrel_5mw"), 9.0)
    return VariableSpeedFarm(
        machine, seed, range(count), conditions, wakes=WakeTable(share, 3.0, 4.0)
    )


def change(farm: VariableSpeedFarm, step: int) -> None:
    last = len(farm.indices) - 1
    if step == 4:
        for position, kind in enumerate(KINDS):
            signal = "pitch" if CATALOGUE[kind].any_signal else ""
            farm.inject(position, kind, 0.85, 15.0, signal)
        farm.control(last, "stop")
        farm.control(last - 1, "curtail", 1200.0)
    if step == 14:
        farm.clear(0, None, 3.0)
        farm.control(last, "start")
        farm.control(last - 1, "yaw_offset", 12.0)
        farm.clear(9, None, 0.0)
        farm.control(9, "reset")


def summary(seed: int) -> np.ndarray:
    """Mean and standard deviation by turbine and signal."""
    farm, blocks = recorded_farm(seed), []
    length, left, step = 7, SAMPLES, 0
    while left:
        length = min(left, length * 2 % 401 + 3)
        change(farm, step)
        blocks.append(np.array(farm.advance(length)))
        left, step = left - length, step + 1
    samples = np.concatenate(blocks, axis=-1)
    return np.stack((samples.mean(axis=-1), samples.std(axis=-1)))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_farm_gives_the_values_of_release_one(seed: int) -> None:
    expected = np.load(REFERENCE)[str(seed)]
    scale = np.abs(expected).max(axis=1, keepdims=True)
    # Not bit by bit: processors differ in the last digit of a sine.
    np.testing.assert_allclose(summary(seed) / scale, expected / scale, atol=1e-7, rtol=0)


if __name__ == "__main__":
    values = {str(seed): summary(seed) for seed in SEEDS}
    np.savez_compressed(REFERENCE, allow_pickle=False, **values)
