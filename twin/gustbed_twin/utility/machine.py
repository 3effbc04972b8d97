"""A utility type made ready to compute with: parameters, tables, exact step matrices."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_twin.filters import Floats
from gustbed_twin.turbine_types import UtilityType
from gustbed_twin.utility.names import NODES, TRUTH_INDEX
from gustbed_twin.utility.rotor_table import (
    PITCH_FIRST,
    TIP_SPEED_STEP,
    Surface,
    read_surface,
)

_NAMES = (
    "dt rate radius area_density torque_density inertia_r inertia_g stiffness damping ratio "
    "efficiency brake t_cut_in t_region2 t_rated t_sync t_slope15 t_slope25 t_gain t_power t_max "
    "t_rate t_pitch3 filter_gain p_ref p_kp p_ki p_kk p_min p_max p_rate p_start p_stop cut_in "
    "cut_out restart rated_w overspeed yaw_band yaw_rate yaw_gain wind_gain rotor_gain volts "
    "tan_phi cos_phi ride tower_mass tower_k"
)
PARAMETERS = np.dtype([(name, np.float64) for name in _NAMES.split()])


@dataclass(frozen=True)
class Machine:
    """Everything about a type that the compiled step needs.

    ``shaft`` is (4, 6): azimuth, twist, rotor and generator speed (rad, rad/s, low-speed side)
    after a step, from themselves, aerodynamic and generator torque. ``tower`` is (2, 3).
    ``tables`` is (tip-speed ratios, pitches, 2): torque and thrust coefficients.
    ``thermal`` is (nodes, 4): around the nacelle, idle K, load K, gain per second.
    """

    kind: UtilityType
    parameters: NDArray[np.void]
    tables: Floats
    shaft: Floats
    tower: Floats
    thermal: Floats
    sensor_of: NDArray[np.int64]
    sensor_period: NDArray[np.int64]
    sensor_figures: Floats
    surface: Surface
    mean_wind: float = 10.0

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, in order."""
        return tuple(sensor.name for sensor in self.kind.sensors)

    @property
    def rate_hz(self) -> int:
        """Steps per second."""
        return self.kind.rate_hz


def make_machine(kind: UtilityType, mean_wind: float = 10.0) -> Machine:
    """Prepare a type; ``mean_wind`` (m/s) sets how fast turbulence passes the rotor."""
    surface = read_surface(Path(kind.folder), kind)
    of, period, figures = _sensors(kind)
    dt = 1.0 / kind.rate_hz
    return Machine(
        kind=kind,
        parameters=_parameters(kind, mean_wind),
        tables=np.ascontiguousarray(np.stack((surface.cq, surface.ct), axis=2)),
        shaft=_shaft(kind, dt),
        tower=_tower(kind, dt),
        thermal=_thermal(kind),
        sensor_of=of,
        sensor_period=period,
        sensor_figures=figures,
        surface=surface,
        mean_wind=mean_wind,
    )


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


def _parameters(kind: UtilityType, mean_wind: float) -> NDArray[np.void]:
    torque, pitch, drive, yaw = kind.torque_control, kind.pitch_control, kind.drivetrain, kind.yaw
    radius, density = kind.geometry.swept_radius_m, kind.rotor.air_density_kg_m3
    rated = kind.limits.rated_power_kw * 1e3
    power = rated / drive.efficiency
    sync = torque.rated_rad_s / (1.0 + torque.slip_percent / 100.0)
    dt = 1.0 / kind.rate_hz
    area = np.pi * radius**2
    omega = 2.0 * np.pi * kind.tower.frequency_hz
    cos_phi = kind.electrical.power_factor
    values = {
        "dt": dt, "rate": kind.rate_hz, "radius": radius,
        "area_density": 0.5 * density * area, "torque_density": 0.5 * density * area * radius,
        "inertia_r": kind.rotor.inertia_kg_m2,
        "inertia_g": drive.generator_inertia_kg_m2 * drive.gearbox_ratio**2,
        "stiffness": drive.stiffness_nm_rad, "damping": drive.damping_nms_rad,
        "ratio": drive.gearbox_ratio, "efficiency": drive.efficiency,
        "brake": drive.brake_torque_nm, "t_cut_in": torque.cut_in_rad_s,
        "t_region2": torque.region2_rad_s, "t_rated": torque.rated_rad_s, "t_sync": sync,
        "t_slope15": torque.region2_gain * torque.region2_rad_s**2
        / (torque.region2_rad_s - torque.cut_in_rad_s),
        "t_slope25": power / torque.rated_rad_s / (torque.rated_rad_s - sync),
        "t_gain": torque.region2_gain, "t_power": power, "t_max": torque.max_torque_nm,
        "t_rate": torque.torque_rate_nm_s, "t_pitch3": torque.region3_pitch_deg,
        "filter_gain": 1.0 - np.exp(-2.0 * np.pi * torque.filter_hz * dt),
        "p_ref": pitch.reference_rad_s, "p_kp": pitch.kp_s, "p_ki": pitch.ki,
        "p_kk": pitch.kk_rad, "p_min": pitch.min_deg, "p_max": pitch.max_deg,
        "p_rate": pitch.rate_deg_s, "p_start": pitch.start_deg, "p_stop": pitch.stop_rate_deg_s,
        "cut_in": kind.limits.cut_in_ms, "cut_out": kind.limits.cut_out_ms,
        "restart": kind.limits.restart_ms, "rated_w": rated,
        "overspeed": kind.limits.overspeed * pitch.reference_rad_s,
        "yaw_band": yaw.deadband_deg, "yaw_rate": yaw.rate_deg_s,
        "yaw_gain": 1.0 - np.exp(-1.0 / yaw.average_s), "wind_gain": 1.0 - np.exp(-1.0 / 30.0),
        "rotor_gain": 1.0 - np.exp(-dt * mean_wind / (0.8 * radius)),
        "volts": kind.electrical.line_voltage_v, "cos_phi": cos_phi,
        "tan_phi": np.sqrt(1.0 - cos_phi**2) / cos_phi, "ride": kind.electrical.ride_through,
        "tower_mass": kind.tower.modal_mass_kg, "tower_k": kind.tower.modal_mass_kg * omega**2,
    }  # fmt: skip
    return np.array([tuple(values[name] for name in PARAMETERS.names or ())], dtype=PARAMETERS)


def _shaft(kind: UtilityType, dt: float) -> Floats:
    k, c = kind.drivetrain.stiffness_nm_rad, kind.drivetrain.damping_nms_rad
    jr = kind.rotor.inertia_kg_m2
    jg = kind.drivetrain.generator_inertia_kg_m2 * kind.drivetrain.gearbox_ratio**2
    a = np.array([
        [0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0, -1.0],
        [0.0, -k / jr, -c / jr, c / jr],
        [0.0, k / jg, c / jg, -c / jg],
    ])  # fmt: skip
    b = np.array([[0.0, 0.0], [0.0, 0.0], [1.0 / jr, 0.0], [0.0, -1.0 / jg]])
    return exact_step(a, b, dt)


def _tower(kind: UtilityType, dt: float) -> Floats:
    omega, zeta = 2.0 * np.pi * kind.tower.frequency_hz, kind.tower.damping_ratio
    a = np.array([[0.0, 1.0], [-(omega**2), -2.0 * zeta * omega]])
    return exact_step(a, np.array([[0.0], [1.0 / kind.tower.modal_mass_kg]]), dt)


def _thermal(kind: UtilityType) -> Floats:
    nodes = [getattr(kind.thermal, name) for name in NODES]
    return np.array([
        [n.around == "nacelle", n.idle_k, n.load_k, 1.0 - np.exp(-1.0 / n.time_s)] for n in nodes
    ])  # fmt: skip


def _sensors(kind: UtilityType) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    of = []
    for number, sensor in enumerate(kind.sensors):
        if sensor.of not in TRUTH_INDEX:
            raise GustbedError(
                f"type {kind.name}: sensors[{number}].of: no quantity {sensor.of!r}",
                f"one of {', '.join(TRUTH_INDEX)}",
            )
        of.append(TRUTH_INDEX[sensor.of])
    period = [round(kind.rate_hz / sensor.rate_hz) for sensor in kind.sensors]
    figures = [[s.noise, 1.0 / s.step, s.low, s.high] for s in kind.sensors]
    return np.array(of), np.array(period), np.array(figures)


__all__ = ["PARAMETERS", "PITCH_FIRST", "TIP_SPEED_STEP", "Machine", "exact_step", "make_machine"]
