"""Claims about motion: pitch rate, energy balance, stopping, determinism, what-if."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from gustbed_twin.checkpoints.farm import load_farm, save_farm
from gustbed_twin.farms.variable_speed import VariableSpeedFarm
from gustbed_twin.filters import Floats
from gustbed_twin.physics.model import FarmPlan
from gustbed_twin.physics.variable_speed import VariableSpeed
from gustbed_twin.scenarios.build import BuiltFarm, build_farm
from gustbed_twin.scenarios.whatif import WhatIf, what_if
from gustbed_twin.turbine.model import prepare_model
from gustbed_twin.turbine.variable_speed import VariableSpeedType
from gustbed_twin.validation.claim import Claim
from gustbed_twin.wind.request import Event, Wind
from gustbed_twin.wind.site import Conditions

WHATIF_TURBINES, WHATIF_S, WHATIF_BOUND_S = 100, 3600.0, 5.0


def motion_claims(turbine_type: VariableSpeedType) -> list[Claim]:
    """All of them."""
    rate = fastest_pitch(turbine_type)
    balance = energy_imbalance(turbine_type)
    trace = stop_trace(turbine_type)
    left, braked = float(trace[1, -1] / trace[1, 0]), stop_seconds(trace)
    shards, resumed = identical(turbine_type)
    seconds = what_if_seconds(turbine_type)
    most = turbine_type.physics.pitch_control.rate_deg_s
    return [
        Claim(
            "pitch rate through extreme gusts, a converter trip and a storm",
            f"never above {most:g}°/s",
            f"fastest {rate:.3f}°/s",
            0.9 * most <= rate <= most + 1e-6,
        ),
        Claim(
            "energy balance of the drivetrain over 10 min of turbulent wind and a stop",
            "0.1 %",
            f"{balance:.1e} of the energy taken from the wind",
            balance <= 1e-3,
        ),
        Claim(
            "a stop command at 10 m/s brings the rotor down through the physics",
            "below 10 % of its speed, gradually",
            f"to half in {braked:.0f} s, {left:.1%} left after 10 min",
            left < 0.1 and braked > 2.0,
        ),
        Claim("same seed, four shards as in one process", "same bytes", _same(shards), shards),
        Claim("same after checkpoint and resume", "same bytes", _same(resumed), resumed),
        Claim(
            f"what-if: {WHATIF_S / 3600:g} h of {WHATIF_TURBINES} turbines, with and without",
            f"below {WHATIF_BOUND_S:g} s of one core",
            f"{seconds:.1f} s of processor time",
            seconds < WHATIF_BOUND_S,
        ),
    ]


def fastest_pitch(turbine_type: VariableSpeedType) -> float:
    """Degrees per second, from step to step, of the true angle."""
    events = tuple(Event(at, "eog", 12.0) for at in (20.0, 60.0, 100.0))
    storm = Event(150.0, "ramp", 15.0, 10.0)
    conditions = Conditions(mean=14.0, turbulence=0.16, events=(*events, storm))
    farm = VariableSpeedFarm(prepare_model(turbine_type, 14.0), 5, range(8), conditions)
    fastest, before = 0.0, farm.turbines.state["pitch"].copy()
    for step in range(260 * turbine_type.rate_hz):
        if step == 130 * turbine_type.rate_hz:
            farm.inject(0, "converter_trip", 1.0, 0.0)
        farm.advance(1)
        now = farm.turbines.state["pitch"].copy()
        fastest = max(fastest, float(np.abs(now - before).max()) * turbine_type.rate_hz)
        before = now
    return fastest


def energy_imbalance(turbine_type: VariableSpeedType) -> float:
    """What is missing of the energy taken from the wind, relative to it; J by J."""
    conditions = Conditions(mean=11.0, turbulence=0.16)
    farm = VariableSpeedFarm(prepare_model(turbine_type, 11.0), 6, range(8), conditions)
    farm.inject(3, "gearbox_bearing", 1.0, 60.0)
    start, stored = farm.turbines.state.copy(), _stored(farm)
    farm.advance(500 * turbine_type.rate_hz)
    farm.control(1, "stop")
    farm.advance(100 * turbine_type.rate_hz)
    end = farm.turbines.state
    taken = end["energy_aero"] - start["energy_aero"]
    given = sum(
        end[name] - start[name] for name in
        ("energy_generator", "energy_damping", "energy_friction")
    )  # fmt: skip
    return float(np.abs((taken - given - (_stored(farm) - stored)) / taken).max())


def stop_trace(turbine_type: VariableSpeedType) -> Floats:
    """Rows (time s, rotor rpm, power kW, pitch deg) after a stop command at 10 m/s."""
    conditions = Conditions(mean=10.0, turbulence=0.08)
    farm = VariableSpeedFarm(prepare_model(turbine_type), 7, range(1), conditions)
    farm.advance(60 * turbine_type.rate_hz)
    farm.control(0, "stop")
    names = ("rotor_speed", "active_power", "pitch")
    rows = []
    for second in range(600):
        rows.append((float(second), *(float(farm.truth(name)[0]) for name in names)))
        farm.advance(turbine_type.rate_hz)
    return np.array(rows).T


def stop_seconds(trace: Floats) -> float:
    """When the rotor has lost half its speed."""
    return float(trace[0, int(np.argmax(trace[1] < 0.5 * trace[1, 0]))])


def identical(turbine_type: VariableSpeedType) -> tuple[bool, bool]:
    """Whether four shards, and a resumed farm, give the very bytes of one process."""
    physics = VariableSpeed(turbine_type.turbine_type)
    plan = FarmPlan(10, 8, Wind(mean=9.0))
    whole = _played(build_farm(physics, plan), 4000)
    quarters = [replace(plan, shard=(part, 4)) for part in range(1, 5)]
    parts = [_played(build_farm(physics, quarter), 4000) for quarter in quarters]
    shards = np.concatenate(parts).tobytes() == whole.tobytes()
    built = build_farm(physics, plan)
    first = _played(built, 1777)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "farm.npz"
        save_farm(built.farm, path)
        rest = _play(built.resumed(load_farm(path)), 4000 - 1777)
    resumed = np.concatenate((first, rest), axis=2)
    return shards, resumed.tobytes() == whole.tobytes()


def what_if_seconds(turbine_type: VariableSpeedType) -> float:
    """Processor time of one answer, compiled beforehand."""
    farm = VariableSpeedFarm(prepare_model(turbine_type), 9, range(WHATIF_TURBINES), Conditions())
    farm.advance(20)
    what_if(farm, WhatIf(1.0))
    began = time.process_time()
    what_if(farm, WhatIf(WHATIF_S, Wind(mean=12.0)))
    return time.process_time() - began


def _played(built: BuiltFarm, samples: int) -> Floats:
    farm = built.farm
    numbers = {number: position for position, number in enumerate(farm.indices)}
    if 2 in numbers:
        farm.inject(numbers[2], "icing", 0.7, 30.0)
        farm.inject(numbers[2], "sensor_noise", 0.5, 10.0, "wind_speed")
    return _play(built, samples)


def _play(built: BuiltFarm, samples: int) -> Floats:
    # Blocks of uneven length: where they are cut must not matter.
    parts, left, length = [], samples, 7
    while left:
        length = min(left, length * 2 % 401 + 3)
        parts.append(built.timeline.advance(length))
        left -= length
    return np.concatenate(parts, axis=2)


def _stored(farm: VariableSpeedFarm) -> Floats:
    p, state = farm.model.parameters, farm.turbines.state
    kinetic = (
        p["rotor_inertia"] * state["rotor"] ** 2 + p["generator_inertia"] * state["generator"] ** 2
    )
    return np.asarray(0.5 * (kinetic + p["stiffness"] * state["twist"] ** 2))


def _same(same: bool) -> str:
    return "same bytes" if same else "DIFFERENT"
