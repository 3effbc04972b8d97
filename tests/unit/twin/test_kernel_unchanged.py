"""The variable-speed machine's values before its state got names: not a bit may change."""

import hashlib

import numpy as np
import pytest

from gustbed_twin.farms.variable_speed import VariableSpeedFarm
from gustbed_twin.faults.variable_speed import CATALOGUE, KINDS
from gustbed_twin.records import WakeTable
from gustbed_twin.turbine.model import prepare_model
from gustbed_twin.turbine.variable_speed import load_variable_speed
from gustbed_twin.wind.request import Event
from gustbed_twin.wind.site import Conditions

SEEDS = {
    1: "a7907cbbb407f5e5e8bf1a15df9fdc36e8f85df2c178485b31c7261e6e868c94",
    2: "ece8493a46bb038cadff0001fe844aa1ea55c50b072612afe88334c0222dd8bf",
    5: "e45b728adda6615d6cf9857dbe264080869c6f26a24e4c6d326e9e70fbad5ab5",
}
"""SHA-256 over 250 s of a farm with every fault, wakes, gusts and commands, in uneven blocks."""
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


@pytest.mark.parametrize("seed", SEEDS)
def test_the_farm_gives_the_very_values_of_release_one(seed: int) -> None:
    farm, digest = recorded_farm(seed), hashlib.sha256()
    length, left, step = 7, SAMPLES, 0
    while left:
        length = min(left, length * 2 % 401 + 3)
        change(farm, step)
        digest.update(farm.advance(length).tobytes())
        left, step = left - length, step + 1
    t = farm.turbines
    for part in (t.state, t.poles, t.degrees, t.held, t.shelter):
        digest.update(np.ascontiguousarray(part).tobytes())
    digest.update(farm.severities(farm.sample - 40, 40).tobytes())
    assert digest.hexdigest() == SEEDS[seed]
