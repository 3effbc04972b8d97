"""The machines of a variable-speed farm: one model for all, or each its own; and how they start."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gustbed_twin.filters import Floats
from gustbed_twin.records import (
    NODES,
    QUANTITIES,
    RUNNING,
    STATE,
    WAITING,
    Turbines,
    make_turbines,
)
from gustbed_twin.turbine.model import TurbineModel, prepare_model
from gustbed_twin.turbine.variation import varied_physics
from gustbed_twin.wind.site import Conditions

NO_LIMIT_W = 1e12


def make_machines(
    model: TurbineModel, seed: int, indices: Sequence[int], variation: float
) -> tuple[TurbineModel, ...]:
    """A model for each turbine, or the type's alone if none differs from it."""
    if variation == 0.0:
        return (model,)
    kind = model.variable_speed
    return tuple(
        prepare_model(
            replace(kind, physics=varied_physics(kind.physics, seed, index, variation)),
            model.mean_wind,
            model.surface,
        )
        for index in indices
    )


def grouped(machines: Sequence[TurbineModel]) -> Iterator[tuple[slice, TurbineModel]]:
    """Which turbines each model is of."""
    if len(machines) == 1:
        yield slice(None), machines[0]
        return
    for row, machine in enumerate(machines):
        yield slice(row, row + 1), machine


def start_turbines(
    machines: Sequence[TurbineModel], conditions: Conditions, exposure: Floats, poles: Floats,
    keys: NDArray[np.uint64], *, standing: bool,
) -> Turbines:  # fmt: skip
    """Turbines that have been running in the mean wind for long; or stand, if it lets none run."""
    groups = [
        _start(machine, conditions, exposure[rows], poles[rows], keys[rows], standing=standing)
        for rows, machine in grouped(machines)
    ]
    if len(groups) == 1:
        return groups[0]
    names = ("state", "poles", "degrees", "quantities", "held", "shelter", "exposure", "keys")
    return make_turbines(
        **{name: np.concatenate([getattr(group, name) for group in groups]) for name in names}
    )


def _start(
    model: TurbineModel, conditions: Conditions, exposure: Floats, poles: Floats,
    keys: NDArray[np.uint64], *, standing: bool,
) -> Turbines:  # fmt: skip
    count, p = len(exposure), model.parameters
    wind = conditions.mean * exposure
    state = np.zeros(count, STATE)
    state["limit"] = NO_LIMIT_W
    state["reference"] = p["reference_speed"]
    state["wind_average"] = state["rotor_wind"] = wind
    state["nacelle"] = state["direction"] = conditions.direction % 360.0
    state["pitch"] = state["demand"] = p["pitch_max"]
    limits = model.variable_speed.physics.limits
    runs = (wind >= limits.cut_in_ms) & (wind <= limits.cut_out_ms) & (not standing)
    state["mode"] = np.where(runs, RUNNING, WAITING)
    for row in np.flatnonzero(runs):
        speed, pitch, torque = operating_point(model, float(wind[row]))
        gain = 1.0 / (1.0 + np.radians(pitch) / p["pitch_kk"])
        state["rotor"][row] = state["generator"][row] = speed
        state["filtered"][row] = speed * p["ratio"]
        state["pitch"][row] = state["demand"][row] = pitch
        state["integral"][row] = np.radians(pitch) / (gain * p["pitch_ki"])
        state["torque"][row] = torque
        state["twist"][row] = torque * p["ratio"] / p["stiffness"]
        state["power"][row] = torque * speed * p["ratio"] * p["efficiency"]
        ratio = speed * p["radius"] / wind[row]
        ct = model.surface.at(model.surface.ct, ratio, pitch)
        state["thrust"][row] = p["half_rho_area"] * wind[row] ** 2 * ct
    state["sway"] = state["thrust"] / p["tower_stiffness"]
    state["second_power"] = state["power"]
    load = state["power"] / (p["rated_power"] * p["efficiency"])
    speed_share = np.minimum(state["generator"] * p["ratio"] / p["reference_speed"], 1.0)
    degrees = np.empty((count, len(NODES)))
    for node, (nacelle, idle, loaded, _) in enumerate(model.arrays.nodes):
        around = degrees[:, 0] if nacelle else conditions.ambient
        degrees[:, node] = around + idle * (0.3 + 0.7 * speed_share) + loaded * load
    quantities = np.zeros((count, len(QUANTITIES)))
    held = np.zeros((count, len(model.channels)))
    return make_turbines(state, poles, degrees, quantities, held, np.ones(count), exposure, keys)


def operating_point(model: TurbineModel, wind: float) -> tuple[float, float, float]:
    """Near the steady rotor speed (rad/s), pitch (deg) and torque (N·m) at a wind."""
    p, surface = model.parameters, model.surface
    low = model.variable_speed.physics.pitch_control.min_deg
    ratios = np.arange(3.0, 14.0, 0.25)
    best = float(ratios[np.argmax([surface.cp(ratio, low) for ratio in ratios])])
    fastest, slowest = p["reference_speed"] / p["ratio"], p["cut_in_speed"] / p["ratio"]
    speed = float(np.clip(best * wind / p["radius"], slowest, fastest))
    ratio = speed * p["radius"] / wind
    available = p["half_rho_area"] * wind**3
    if available * surface.cp(ratio, low) <= p["shaft_power"]:
        torque = max(available * surface.cp(ratio, low), 0.0) / (speed * p["ratio"])
        return speed, low, float(torque)
    pitches = np.linspace(low, 30.0, 301)
    powers = [available * surface.cp(ratio, pitch) for pitch in pitches]
    pitch = float(pitches[np.argmin(np.abs(np.array(powers) - p["shaft_power"]))])
    return speed, pitch, float(p["shaft_power"] / (speed * p["ratio"]))
