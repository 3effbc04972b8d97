"""The rotor's coefficients over tip-speed ratio and pitch: read, extended, tied to published ones.

A published surface covers normal operation only. For start-up, feathering and overspeed it is
extended: torque coefficients stay level towards a standing rotor, fall off linearly above the
highest tip-speed ratio, and become drag at 90 degrees of pitch.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_twin.filters import Floats
from gustbed_twin.turbine.variable_speed import VariableSpeedType

TIP_SPEED_STEP = 0.25
TIP_SPEEDS = np.arange(0.0, 20.0 + 1e-9, TIP_SPEED_STEP)
PITCH_FIRST = -5.0
PITCHES = np.arange(PITCH_FIRST, 90.0 + 1e-9, 1.0)
_FEATHERED_CQ_SLOPE, _FEATHERED_CT = -0.004, 0.03


@dataclass(frozen=True, slots=True)
class Surface:
    """Torque and thrust coefficients on the grid of ``TIP_SPEEDS`` (rows) and ``PITCHES``."""

    cq: Floats
    ct: Floats

    def at(self, table: Floats, tip_speed: float, pitch: float) -> float:
        """Bilinear look-up, held at the edges; pitch in degrees."""
        x = min(max(tip_speed / TIP_SPEED_STEP, 0.0), len(TIP_SPEEDS) - 1.001)
        y = min(max(pitch - PITCH_FIRST, 0.0), len(PITCHES) - 1.001)
        i, j = int(x), int(y)
        u, v = x - i, y - j
        low = table[i, j] * (1 - v) + table[i, j + 1] * v
        high = table[i + 1, j] * (1 - v) + table[i + 1, j + 1] * v
        return float(low * (1 - u) + high * u)

    def cp(self, tip_speed: float, pitch: float) -> float:
        """Power coefficient."""
        return tip_speed * self.at(self.cq, tip_speed, pitch)


def read_surface(folder: Path, turbine_type: VariableSpeedType) -> Surface:
    """Read the type's table; scale it to the published steady line, if the type has one."""
    pitches, tip_speeds, cp, ct = read_table(folder / turbine_type.physics.rotor.table)
    power, thrust = _scales(turbine_type, pitches, tip_speeds, cp, ct)
    beyond = TIP_SPEEDS[tip_speeds[-1] < TIP_SPEEDS]
    cp = np.vstack((cp, _onward(tip_speeds, cp, beyond)))
    ct = np.vstack((ct, _onward(tip_speeds, ct, beyond)))
    tip_speeds = np.concatenate((tip_speeds, beyond))
    cq = cp / tip_speeds[:, None] * _over(tip_speeds, power)[:, None]
    return Surface(
        _extended(cq, pitches, tip_speeds, drag=True),
        _extended(ct * _over(tip_speeds, thrust)[:, None], pitches, tip_speeds, drag=False),
    )


def read_table(path: Path) -> tuple[Floats, Floats, Floats, Floats]:
    """Pitch (deg), tip-speed ratio, Cp and Ct (rows: tip-speed ratio) of a file as ROSCO writes."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        blocks: list[list[list[float]]] = [[]]
        for line in lines:
            if line.strip() and not line.startswith("#"):
                blocks[-1].append([float(word) for word in line.split()])
            elif blocks[-1]:
                blocks.append([])
        found = [np.array(block) for block in blocks if block]
        pitches, tip_speeds, cp, ct = found[0][0], found[1][0], found[3], found[4]
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "name the table in rotor.table") from error
    except (ValueError, IndexError) as error:
        raise GustbedError(f"{path}: {error}", "give the format that ROSCO writes") from error
    shape = (len(tip_speeds), len(pitches))
    if cp.shape != shape or ct.shape != shape:
        raise GustbedError(f"{path}: tables of {cp.shape}, {ct.shape}", f"make them {shape}")
    return pitches, tip_speeds, cp, ct


def raw_cp(turbine_type: VariableSpeedType, tip_speed: float, pitch: float) -> float:
    """Cp straight from the table, as published, linear beyond its highest tip-speed ratio."""
    pitches, tip_speeds, cp, _ = read_table(
        Path(turbine_type.folder) / turbine_type.physics.rotor.table
    )
    return _look_up(pitches, tip_speeds, cp, tip_speed, pitch)


def _scales(
    turbine_type: VariableSpeedType, pitches: Floats, tip_speeds: Floats, cp: Floats, ct: Floats
) -> tuple[Floats, Floats]:
    """Published over tabulated Cp and Ct, rows of (tip-speed ratio, factor), rising."""
    rows = []
    for wind, rpm, pitch, _, cp_there, ct_there in turbine_type.physics.steady:
        ratio = rpm * np.pi / 30.0 * turbine_type.physics.geometry.swept_radius_m / wind
        rows.append((
            ratio,
            cp_there / _look_up(pitches, tip_speeds, cp, ratio, pitch),
            ct_there / _look_up(pitches, tip_speeds, ct, ratio, pitch),
        ))  # fmt: skip
    if not rows:
        rows = [(1.0, 1.0, 1.0)]
    line = np.array(sorted(rows))
    return line[:, [0, 1]], line[:, [0, 2]]


def _over(tip_speeds: Floats, scale: Floats) -> Floats:
    """The factor at each tip-speed ratio; 1 well below the published line."""
    first = scale[0]
    line = np.vstack(([max(first[0] - 1.0, 0.1), 1.0], scale))
    return np.asarray(np.interp(tip_speeds, line[:, 0], line[:, 1]))


def _look_up(
    pitches: Floats, tip_speeds: Floats, table: Floats, tip_speed: float, pitch: float
) -> float:
    column = np.array([np.interp(pitch, pitches, row) for row in table])
    if tip_speed <= tip_speeds[-1]:
        return float(np.interp(tip_speed, tip_speeds, column))
    slope = (column[-1] - column[-2]) / (tip_speeds[-1] - tip_speeds[-2])
    return float(column[-1] + slope * (tip_speed - tip_speeds[-1]))


def _onward(points: Floats, table: Floats, beyond: Floats) -> Floats:
    slope = (table[-1] - table[-2]) / (points[-1] - points[-2])
    return np.asarray(table[-1] + slope * (beyond - points[-1])[:, None])


def _extended(table: Floats, pitches: Floats, tip_speeds: Floats, *, drag: bool) -> Floats:
    on_pitch = np.array([_beyond(PITCHES, pitches, row) for row in table])
    whole = np.array([_beyond(TIP_SPEEDS, tip_speeds, column) for column in on_pitch.T]).T
    last = pitches[-1]
    share = np.clip((PITCHES - last) / (90.0 - last), 0.0, 1.0)
    feathered = (
        _FEATHERED_CQ_SLOPE * TIP_SPEEDS if drag else np.full(len(TIP_SPEEDS), _FEATHERED_CT)
    )
    edge = whole[:, int(np.searchsorted(PITCHES, last))]
    blended = edge[:, None] * (1.0 - share) + feathered[:, None] * share
    return np.where(last < PITCHES, blended, whole)


def _beyond(grid: Floats, points: Floats, values: Floats) -> Floats:
    """Interpolate; level below the first point, linear above the last."""
    inside = np.interp(grid, points, values)
    slope = (values[-1] - values[-2]) / (points[-1] - points[-2])
    return np.asarray(np.where(grid > points[-1], values[-1] + slope * (grid - points[-1]), inside))
