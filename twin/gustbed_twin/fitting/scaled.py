"""A variable-speed machine of another size: what follows from its power, radius and speeds.

Geometric similarity at the same tip speeds and materials (Gasch and Twele, Wind Power Plants, 2012,
ch. 7): masses go with the cube of the radius, the rotor's inertia with its fifth power, frequencies
with its inverse; torques follow from power and speed. The generator's own speeds stay.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from gustbed_twin.turbine.variable_speed import VariableSpeedPhysics


@dataclass(frozen=True, slots=True)
class Size:
    """What ten-minute means tell of a machine: kW, m, kg/m³ and rotor rpm at rated and lowest."""

    rated_power_kw: float
    swept_radius_m: float
    air_density_kg_m3: float
    rated_rpm: float
    lowest_rpm: float


def size_of(physics: VariableSpeedPhysics) -> Size:
    """The size of a type."""
    rpm = 30.0 / np.pi / physics.drivetrain.gearbox_ratio
    return Size(
        physics.limits.rated_power_kw,
        physics.geometry.swept_radius_m,
        physics.rotor.air_density_kg_m3,
        float(physics.pitch_control.reference_rad_s * rpm),
        float(physics.torque_control.cut_in_rad_s * rpm),
    )


def scaled(physics: VariableSpeedPhysics, size: Size) -> VariableSpeedPhysics:
    """A type's machine at that size."""
    usual = size_of(physics)
    length = size.swept_radius_m / usual.swept_radius_m
    power = size.rated_power_kw / usual.rated_power_kw
    speed = size.rated_rpm / usual.rated_rpm
    ratio = 1.0 / speed
    density = size.air_density_kg_m3 / usual.air_density_kg_m3
    inertia, torque = length**5, power / speed
    slowest = size.lowest_rpm / usual.lowest_rpm / speed
    control = physics.torque_control
    cut_in = min(control.cut_in_rad_s * slowest, 0.95 * control.rated_rad_s)
    span = (control.region2_rad_s - control.cut_in_rad_s) / control.cut_in_rad_s
    region2 = min(cut_in * (1.0 + span), 0.98 * control.rated_rad_s)
    damping = inertia * speed / ratio / power
    machine: VariableSpeedPhysics = _with(
        physics,
        geometry=_times(
            physics.geometry, rotor_diameter_m=length, swept_radius_m=length, hub_height_m=length
        ),
        limits=_times(physics.limits, rated_power_kw=power),
        rotor=_times(physics.rotor, air_density_kg_m3=density, inertia_kg_m2=inertia),
        drivetrain=_times(
            physics.drivetrain, gearbox_ratio=ratio, generator_inertia_kg_m2=power,
            stiffness_nm_rad=torque, damping_nms_rad=torque, brake_torque_nm=torque,
        ),
        torque_control=_with(
            _times(
                control, region2_gain=density * length**5 / ratio**3, max_torque_nm=power,
                torque_rate_nm_s=power,
            ),
            cut_in_rad_s=cut_in,
            region2_rad_s=region2,
        ),
        pitch_control=_times(physics.pitch_control, kp_s=damping, ki=damping),
        tower=_times(physics.tower, modal_mass_kg=length**3, frequency_hz=1.0 / length),
        steady=tuple((row[0], row[1] / length, *row[2:]) for row in physics.steady),
    )  # fmt: skip
    return machine


def _times(part: Any, **factors: float) -> Any:
    return _with(part, **{name: getattr(part, name) * by for name, by in factors.items()})


def _with(part: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(part, **changes)
