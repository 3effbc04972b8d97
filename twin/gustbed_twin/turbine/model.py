"""A variable-speed type made ready to compute with: parameters, tables, exact step matrices."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gustbed_twin.filters import Floats
from gustbed_twin.records import (
    COEFFICIENTS,
    NODE,
    NODES,
    PARAMETERS,
    QUANTITIES,
    SENSOR,
    SHAFT_ROW,
    TOWER_ROW,
    ModelArrays,
    Records,
)
from gustbed_twin.turbine.corrections import EXACT
from gustbed_twin.turbine.rotor_table import Surface, read_surface
from gustbed_twin.turbine.variable_speed import VariableSpeedType


@dataclass(frozen=True)
class TurbineModel:
    """Everything about a type that a farm needs; ``arrays`` are what the compiled step takes."""

    variable_speed: VariableSpeedType
    arrays: ModelArrays
    surface: Surface
    mean_wind: float = 10.0

    @property
    def parameters(self) -> np.void:
        """The type's ``Parameters``."""
        return self.arrays.parameters[0]  # type: ignore[no-any-return]

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, in order."""
        return tuple(sensor.name for sensor in self.variable_speed.channels)

    @property
    def rate_hz(self) -> int:
        """Steps per second."""
        return self.variable_speed.rate_hz


def prepare_model(
    turbine_type: VariableSpeedType, mean_wind: float = 10.0, surface: Surface | None = None
) -> TurbineModel:
    """Prepare a type; ``mean_wind`` (m/s) sets how fast turbulence passes the rotor.

    ``surface`` is the rotor's, if it was read before.
    """
    if surface is None:
        surface = read_surface(Path(turbine_type.folder), turbine_type)
    coefficients = np.empty(surface.cq.shape, COEFFICIENTS)
    coefficients["torque"], coefficients["thrust"] = surface.cq, surface.ct
    sensors, dt = _sensors(turbine_type), 1.0 / turbine_type.rate_hz
    arrays = ModelArrays(
        parameters=_parameters(turbine_type, mean_wind),
        shaft=_shaft(turbine_type, dt),
        tower=_tower(turbine_type, dt),
        nodes=_nodes(turbine_type),
        coefficients=coefficients,
        sensors=sensors,
        fast=np.flatnonzero(sensors["period"] < turbine_type.rate_hz),
        slow=np.flatnonzero(sensors["period"] >= turbine_type.rate_hz),
    )
    return TurbineModel(turbine_type, arrays, surface, mean_wind)


def exact_step(a: Floats, b: Floats, dt: float) -> Floats:
    """``[Ad Bd]`` of ``x' = a x + b u`` with ``u`` held over ``dt``: exact however stiff."""
    states, inputs = b.shape
    whole = np.zeros((states + inputs, states + inputs))
    whole[:states, :states], whole[:states, states:] = a * dt, b * dt
    halvings = max(0, int(np.ceil(np.log2(max(np.abs(whole).sum(axis=1).max(), 1e-12)))) + 4)
    small = whole / 2.0**halvings
    total, term = np.eye(len(whole)), np.eye(len(whole))
    for order in range(1, 15):
        term = term @ small / order
        total += term
    for _ in range(halvings):
        total = total @ total
    return np.ascontiguousarray(total[:states])


def _parameters(turbine_type: VariableSpeedType, mean_wind: float) -> Records:
    values = {**_machine_constants(turbine_type, mean_wind), **_control_constants(turbine_type)}
    return np.array([tuple(values[name] for name in PARAMETERS.names or ())], dtype=PARAMETERS)


def _machine_constants(turbine_type: VariableSpeedType, mean_wind: float) -> dict[str, float]:
    drive, limits, electrical = (
        turbine_type.physics.drivetrain,
        turbine_type.physics.limits,
        turbine_type.physics.electrical,
    )
    radius, density = (
        turbine_type.physics.geometry.swept_radius_m,
        turbine_type.physics.rotor.air_density_kg_m3,
    )
    dt, area, cos_phi = 1.0 / turbine_type.rate_hz, np.pi * radius**2, electrical.power_factor
    omega = 2.0 * np.pi * turbine_type.physics.tower.frequency_hz
    return {
        "dt": dt,
        "rate": turbine_type.rate_hz,
        "radius": radius,
        "half_rho_area": 0.5 * density * area,
        "half_rho_area_radius": 0.5 * density * area * radius,
        "rotor_inertia": turbine_type.physics.rotor.inertia_kg_m2,
        "generator_inertia": drive.generator_inertia_kg_m2 * drive.gearbox_ratio**2,
        "stiffness": drive.stiffness_nm_rad,
        "damping": drive.damping_nms_rad,
        "ratio": drive.gearbox_ratio,
        "efficiency": drive.efficiency,
        "brake_torque": drive.brake_torque_nm,
        "cut_in_wind": limits.cut_in_ms,
        "cut_out_wind": limits.cut_out_ms,
        "restart_wind": limits.restart_ms,
        "rated_power": limits.rated_power_kw * 1e3,
        "overspeed": limits.overspeed * turbine_type.physics.pitch_control.reference_rad_s,
        "wind_gain": 1.0 - np.exp(-1.0 / 30.0),
        "rotor_gain": 1.0 - np.exp(-dt * mean_wind / (0.8 * radius)),
        "line_voltage": electrical.line_voltage_v,
        "cos_phi": cos_phi,
        "tan_phi": np.sqrt(1.0 - cos_phi**2) / cos_phi,
        "ride_through": electrical.ride_through,
        "tower_stiffness": turbine_type.physics.tower.modal_mass_kg * omega**2,
    }


def _control_constants(turbine_type: VariableSpeedType) -> dict[str, float]:
    torque, pitch, yaw = (
        turbine_type.physics.torque_control,
        turbine_type.physics.pitch_control,
        turbine_type.physics.yaw,
    )
    power = (
        turbine_type.physics.limits.rated_power_kw
        * 1e3
        / turbine_type.physics.drivetrain.efficiency
    )
    synchronous = torque.rated_rad_s / (1.0 + torque.slip_percent / 100.0)
    dt = 1.0 / turbine_type.rate_hz
    return {
        "cut_in_speed": torque.cut_in_rad_s,
        "region2_speed": torque.region2_rad_s,
        "rated_speed": torque.rated_rad_s,
        "synchronous_speed": synchronous,
        "region15_slope": torque.region2_gain
        * torque.region2_rad_s**2
        / (torque.region2_rad_s - torque.cut_in_rad_s),
        "region25_slope": power / torque.rated_rad_s / (torque.rated_rad_s - synchronous),
        "region2_gain": torque.region2_gain,
        "shaft_power": power,
        "max_torque": torque.max_torque_nm,
        "torque_rate": torque.torque_rate_nm_s,
        "region3_pitch": torque.region3_pitch_deg,
        "speed_filter_gain": 1.0 - np.exp(-2.0 * np.pi * torque.filter_hz * dt),
        "reference_speed": pitch.reference_rad_s,
        "pitch_kp": pitch.kp_s,
        "pitch_ki": pitch.ki,
        "pitch_kk": pitch.kk_rad,
        "pitch_min": pitch.min_deg,
        "pitch_max": pitch.max_deg,
        "pitch_rate": pitch.rate_deg_s,
        "pitch_start": pitch.start_deg,
        "pitch_stop_rate": pitch.stop_rate_deg_s,
        "yaw_deadband": yaw.deadband_deg,
        "yaw_rate": yaw.rate_deg_s,
        "vane_gain": 1.0 - np.exp(-1.0 / yaw.average_s),
    }


def _shaft(turbine_type: VariableSpeedType, dt: float) -> Records:
    k, c = (
        turbine_type.physics.drivetrain.stiffness_nm_rad,
        turbine_type.physics.drivetrain.damping_nms_rad,
    )
    jr = turbine_type.physics.rotor.inertia_kg_m2
    jg = (
        turbine_type.physics.drivetrain.generator_inertia_kg_m2
        * turbine_type.physics.drivetrain.gearbox_ratio**2
    )
    a = np.array([
        [0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0, -1.0],
        [0.0, -k / jr, -c / jr, c / jr],
        [0.0, k / jg, c / jg, -c / jg],
    ])  # fmt: skip
    b = np.array([[0.0, 0.0], [0.0, 0.0], [1.0 / jr, 0.0], [0.0, -1.0 / jg]])
    return exact_step(a, b, dt).view(SHAFT_ROW)[:, 0]


def _tower(turbine_type: VariableSpeedType, dt: float) -> Records:
    omega, zeta = (
        2.0 * np.pi * turbine_type.physics.tower.frequency_hz,
        turbine_type.physics.tower.damping_ratio,
    )
    a = np.array([[0.0, 1.0], [-(omega**2), -2.0 * zeta * omega]])
    b = np.array([[0.0], [1.0 / turbine_type.physics.tower.modal_mass_kg]])
    return exact_step(a, b, dt).view(TOWER_ROW)[:, 0]


def _nodes(turbine_type: VariableSpeedType) -> Records:
    parts = [getattr(turbine_type.physics.thermal, name) for name in NODES]
    return np.array(
        [(n.around == "nacelle", n.idle_k, n.load_k, 1.0 - np.exp(-1.0 / n.time_s)) for n in parts],
        NODE,
    )


def _sensors(turbine_type: VariableSpeedType) -> Records:
    rows = []
    for channel in turbine_type.channels:
        period = round(turbine_type.rate_hz / channel.rate_hz)
        own = turbine_type.physics.corrections.get(channel.name, EXACT)
        rows.append((
            QUANTITIES.index(channel.of), period, own.gain, own.offset, channel.noise,
            1.0 / channel.step, channel.low, channel.high,
        ))  # fmt: skip
    return np.array(rows, SENSOR)
