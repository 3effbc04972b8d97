"""Wakes from FLORIS: computed once per direction and speed, kept on disk, looked up by the step."""

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
from gustbed_twin.filters import Floats
from gustbed_twin.turbine_types import UtilityType
from gustbed_twin.utility.floris_inputs import floris_inputs
from gustbed_twin.utility.records import WakeTable
from gustbed_twin.utility.steady import SteadyPoint, steady_curve

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
    kind: UtilityType,
    places: Floats,
    speed: float,
    direction: float,
    model: str = "gauss",
    turbulence: float = USUAL_TURBULENCE,
) -> list[WakeState]:
    """Effective wind of every turbine, and the power that it makes of it."""
    points = _curve(kind)
    winds = effective_winds(kind, points, places, [speed], [direction], model, turbulence)[0]
    curve = np.array([[point.wind_ms, point.power_kw] for point in points])
    powers = np.interp(winds, curve[:, 0], curve[:, 1], left=0.0, right=0.0)
    pairs = enumerate(zip(winds, powers, strict=True))
    return [WakeState(number, float(power), float(wind)) for number, (wind, power) in pairs]


def wake_table(
    kind: UtilityType, places: Floats, model: str = "gauss", turbulence: float = USUAL_TURBULENCE
) -> WakeTable:
    """Compute the table of a layout, or read it from the cache.

    Raises ``GustbedError`` if FLORIS is missing or the model unknown.
    """
    _, step, spacing, count = next(row for row in RESOLUTIONS if len(places) <= row[0])
    speeds = FIRST_MS + spacing * np.arange(count)
    directions = np.arange(0.0, 360.0, step)
    points = _curve(kind)
    path = _cache_path(kind, points, places, f"{model} {turbulence} {step} {spacing}")
    if path.exists():
        with np.load(path) as stored:
            return WakeTable(np.asarray(stored["share"]), FIRST_MS, spacing)
    at_direction, at_speed = np.meshgrid(directions, speeds, indexing="ij")
    winds = effective_winds(
        kind, points, places, at_speed.ravel().tolist(), at_direction.ravel().tolist(), model,
        turbulence,
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
    kind: UtilityType,
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
    floris = _floris(kind, points, places, model)
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
    kind: UtilityType, places: Floats, speed: float, direction: float, model: str = "gauss"
) -> tuple[Floats, Floats, Floats]:
    """East and north (m) and wind (m/s) over a horizontal cut at hub height, for a picture."""
    floris = _floris(kind, _curve(kind), places, model)
    floris.set(
        wind_speeds=np.array([speed]),
        wind_directions=np.array([direction]),
        turbulence_intensities=np.array([USUAL_TURBULENCE]),
    )
    plane = floris.calculate_horizontal_plane(
        height=kind.geometry.hub_height_m, x_resolution=240, y_resolution=120
    ).df
    shape = (plane["x2"].nunique(), plane["x1"].nunique())
    ordered = plane.sort_values(["x2", "x1"])
    east, north, wind = (
        np.asarray(ordered[name], dtype=float).reshape(shape) for name in ("x1", "x2", "u")
    )
    return east, north, wind


def _floris(kind: UtilityType, points: Sequence[SteadyPoint], places: Floats, model: str) -> Any:
    try:
        from floris import FlorisModel
    except ImportError as error:
        raise GustbedError("wakes need FLORIS", "install gustbed-twin[wake]") from error
    return FlorisModel(floris_inputs(kind, points, places, model))


def _curve(kind: UtilityType) -> list[SteadyPoint]:
    low, high = kind.limits.cut_in_ms, kind.limits.cut_out_ms
    return steady_curve(kind, np.arange(low, high + 1e-9, 0.5).tolist())


def _cache_path(
    kind: UtilityType, points: Sequence[SteadyPoint], places: Floats, settings: str
) -> Path:
    usual = Path(tempfile.gettempdir()) / f"gustbed-twin-{os.getuid()}" / "wakes"
    folder = Path(os.environ.get(CACHE_VARIABLE) or usual)
    digest = hashlib.sha256()
    curve = [[point.wind_ms, point.power_kw, point.thrust_coefficient] for point in points]
    digest.update(np.round(curve, 6).tobytes())
    digest.update(np.ascontiguousarray(places, dtype=float).tobytes())
    digest.update(f"{_VERSION} {kind.name} {settings}".encode())
    return folder / f"{kind.name}-{digest.hexdigest()[:16]}.npz"
