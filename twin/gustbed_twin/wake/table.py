"""Wakes by FLORIS (models ``jensen`` and ``gauss``, with its own default parameters).

Computed once per direction and speed, kept on disk, looked up by the step.
"""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_core.settings import turbine_id
from gustbed_twin.farms.steady import SteadyPoint, steady_curve
from gustbed_twin.filters import Floats
from gustbed_twin.records import WakeTable
from gustbed_twin.turbine.variable_speed import VariableSpeedType
from gustbed_twin.wake.floris_inputs import floris_inputs

MODELS = ("jensen", "gauss")
FIRST_MS = 3.0
RESOLUTIONS = ((50, 5.0, 1.0, 23), (250, 10.0, 2.0, 12), (10**9, 15.0, 4.0, 7))
"""Up to so many turbines: degrees and m/s between states, and how many speeds."""
USUAL_TURBULENCE = 0.10
CACHE_VARIABLE = "GUSTBED_TWIN_CACHE"
_VERSION = "3"


@dataclass(frozen=True, slots=True)
class WakeState:
    """A turbine in the wakes of the others."""

    turbine: int
    power_kw: float
    effective_wind_ms: float

    @property
    def name(self) -> str:
        """As everywhere in the farm."""
        return turbine_id(self.turbine)


def wake_state(
    turbine_type: VariableSpeedType,
    places: Floats,
    speed: float,
    direction: float,
    model: str = "gauss",
    turbulence: float = USUAL_TURBULENCE,
) -> list[WakeState]:
    """Effective wind of every turbine, and the power that it makes of it."""
    points = _curve(turbine_type)
    winds = effective_winds(turbine_type, points, places, [speed], [direction], model, turbulence)[
        0
    ]
    curve = np.array([[point.wind_ms, point.power_kw] for point in points])
    powers = np.interp(winds, curve[:, 0], curve[:, 1], left=0.0, right=0.0)
    pairs = enumerate(zip(winds, powers, strict=True))
    return [WakeState(number, float(power), float(wind)) for number, (wind, power) in pairs]


def wake_table(
    turbine_type: VariableSpeedType,
    places: Floats,
    model: str = "gauss",
    turbulence: float = USUAL_TURBULENCE,
) -> WakeTable:
    """Compute the table of a layout, or read it from the cache.

    Raises ``GustbedError`` if FLORIS is missing or the model unknown.
    """
    _, step, spacing, count = next(row for row in RESOLUTIONS if len(places) <= row[0])
    speeds = FIRST_MS + spacing * np.arange(count)
    directions = np.arange(0.0, 360.0, step)
    points = _curve(turbine_type)
    path = _cache_path(turbine_type, points, places, f"{model} {turbulence} {step} {spacing}")
    if path.exists():
        with np.load(path) as stored:
            return WakeTable(np.asarray(stored["share"]), FIRST_MS, spacing)
    at_direction, at_speed = np.meshgrid(directions, speeds, indexing="ij")
    winds = effective_winds(
        turbine_type, points, places, at_speed.ravel().tolist(), at_direction.ravel().tolist(),
        model, turbulence,
    )  # fmt: skip
    # Divided by the undisturbed turbine's own mean over the rotor, so that shear is not a wake.
    share = np.minimum(winds / winds.max(axis=1, keepdims=True), 1.0)
    share = share.reshape(len(directions), count, len(places))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written whole or not at all: several shards may compute it at once.
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
        np.savez_compressed(file, share=share)
    Path(file.name).replace(path)
    return WakeTable(share, FIRST_MS, spacing)


def effective_winds(
    turbine_type: VariableSpeedType,
    points: Sequence[SteadyPoint],
    places: Floats,
    speeds: Sequence[float],
    directions: Sequence[float],
    model: str,
    turbulence: float = USUAL_TURBULENCE,
) -> Floats:
    """Rotor-effective wind (m/s), (states, turbines), for states of speed and direction."""
    if model not in MODELS:
        raise GustbedError(f"no wake model {model!r}", f"one of {', '.join(MODELS)}")
    floris = _floris(turbine_type, points, places, model)
    rows = []
    # Some hundreds of states at once would take FLORIS gigabytes for a large farm.
    chunk = max(1, 20_000 // max(len(places), 1))
    for start in range(0, len(speeds), chunk):
        at = slice(start, start + chunk)
        count = len(speeds[at])
        floris.set(
            wind_speeds=np.array(speeds[at], dtype=float),
            wind_directions=np.array(directions[at], dtype=float) % 360.0,
            turbulence_intensities=np.full(count, turbulence),
        )
        floris.run()
        rows.append(np.asarray(floris.turbine_average_velocities))
    return np.concatenate(rows)


def wake_plane(
    turbine_type: VariableSpeedType,
    places: Floats,
    speed: float,
    direction: float,
    model: str = "gauss",
) -> tuple[Floats, Floats, Floats]:
    """East and north (m) and wind (m/s) over a horizontal cut at hub height, for a picture."""
    floris = _floris(turbine_type, _curve(turbine_type), places, model)
    floris.set(
        wind_speeds=np.array([speed]),
        wind_directions=np.array([direction]),
        turbulence_intensities=np.array([USUAL_TURBULENCE]),
    )
    plane = floris.calculate_horizontal_plane(
        height=turbine_type.physics.geometry.hub_height_m, x_resolution=240, y_resolution=120
    ).df
    shape = (plane["x2"].nunique(), plane["x1"].nunique())
    ordered = plane.sort_values(["x2", "x1"])
    east, north, wind = (
        np.asarray(ordered[name], dtype=float).reshape(shape) for name in ("x1", "x2", "u")
    )
    return east, north, wind


def _floris(
    turbine_type: VariableSpeedType, points: Sequence[SteadyPoint], places: Floats, model: str
) -> Any:
    try:
        from floris import FlorisModel
    except ImportError as error:
        raise GustbedError("wakes need FLORIS", "install gustbed-twin[wake]") from error
    return FlorisModel(floris_inputs(turbine_type, points, places, model))


def _curve(turbine_type: VariableSpeedType) -> list[SteadyPoint]:
    low, high = turbine_type.physics.limits.cut_in_ms, turbine_type.physics.limits.cut_out_ms
    return steady_curve(turbine_type, np.arange(low, high + 1e-9, 0.5).tolist())


def _cache_path(
    turbine_type: VariableSpeedType, points: Sequence[SteadyPoint], places: Floats, settings: str
) -> Path:
    usual = Path(tempfile.gettempdir()) / f"gustbed-twin-{os.getuid()}" / "wakes"
    folder = Path(os.environ.get(CACHE_VARIABLE) or usual)
    digest = hashlib.sha256()
    curve = [[point.wind_ms, point.power_kw, point.thrust_coefficient] for point in points]
    digest.update(np.round(curve, 6).tobytes())
    digest.update(np.ascontiguousarray(places, dtype=float).tobytes())
    digest.update(f"{_VERSION} {turbine_type.name} {settings}".encode())
    return folder / f"{turbine_type.name}-{digest.hexdigest()[:16]}.npz"
