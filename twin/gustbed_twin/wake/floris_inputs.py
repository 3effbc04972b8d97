"""FLORIS's inputs for a layout of one turbine type: its own defaults of the wake models."""

from collections.abc import Sequence
from typing import Any

from gustbed_twin.farms.steady import SteadyPoint
from gustbed_twin.filters import Floats
from gustbed_twin.turbine.variable_speed import VariableSpeedType


def floris_inputs(
    turbine_type: VariableSpeedType, points: Sequence[SteadyPoint], places: Floats, model: str
) -> dict[str, Any]:
    """One site and one turbine type in FLORIS's terms; the thrust is the type's own."""
    hub, shear = turbine_type.physics.geometry.hub_height_m, 0.12
    turbine = _turbine(turbine_type, points)
    return {
        "name": "gustbed",
        "description": "",
        "floris_version": "v4",
        "logging": {
            "console": {"enable": False, "level": "ERROR"},
            "file": {"enable": False, "level": "ERROR"},
        },
        "solver": {"type": "turbine_grid", "turbine_grid_points": 3},
        "farm": {
            "layout_x": places[:, 0].tolist(),
            "layout_y": places[:, 1].tolist(),
            "turbine_type": [turbine],
        },
        "flow_field": {
            "air_density": turbine_type.physics.rotor.air_density_kg_m3,
            "reference_wind_height": hub,
            "turbulence_intensities": [0.1],
            "wind_directions": [270.0],
            "wind_shear": shear,
            "wind_speeds": [8.0],
            "wind_veer": 0.0,
        },
        "wake": _wake(model),
    }


def _turbine(turbine_type: VariableSpeedType, points: Sequence[SteadyPoint]) -> dict[str, Any]:
    winds = [
        0.0,
        turbine_type.physics.limits.cut_in_ms - 0.1,
        *(point.wind_ms for point in points),
        50.0,
    ]
    powers = [0.0, 0.0, *(point.power_kw for point in points), 0.0]
    thrusts = [0.0, 0.0, *(point.thrust_coefficient for point in points), 0.0]
    return {
        "turbine_type": turbine_type.name,
        "hub_height": turbine_type.physics.geometry.hub_height_m,
        "rotor_diameter": turbine_type.physics.geometry.rotor_diameter_m,
        "TSR": 8.0,
        "operation_model": "cosine-loss",
        "power_thrust_table": {
            "ref_air_density": turbine_type.physics.rotor.air_density_kg_m3,
            "ref_tilt": 5.0,
            "cosine_loss_exponent_yaw": 1.88,
            "cosine_loss_exponent_tilt": 1.88,
            "wind_speed": winds,
            "power": powers,
            "thrust_coefficient": thrusts,
        },
    }


def _wake(model: str) -> dict[str, Any]:
    return {
        "model_strings": {
            "combination_model": "sosfs",
            "deflection_model": "gauss" if model == "gauss" else "jimenez",
            "turbulence_model": "crespo_hernandez",
            "velocity_model": model,
        },
        "enable_secondary_steering": model == "gauss",
        "enable_yaw_added_recovery": model == "gauss",
        "enable_active_wake_mixing": False,
        "enable_transverse_velocities": model == "gauss",
        "wake_deflection_parameters": {
            "gauss": {
                "ad": 0.0, "alpha": 0.58, "bd": 0.0, "beta": 0.077, "dm": 1.0,
                "ka": 0.38, "kb": 0.004,
            },
            "jimenez": {"ad": 0.0, "bd": 0.0, "kd": 0.05},
        },
        "wake_velocity_parameters": {
            "gauss": {"alpha": 0.58, "beta": 0.077, "ka": 0.38, "kb": 0.004},
            "jensen": {"we": 0.05},
        },
        "wake_turbulence_parameters": {
            "crespo_hernandez": {
                "initial": 0.1, "constant": 0.5, "ai": 0.8,
                "downstream": -0.32,
            },
        },
    }  # fmt: skip
