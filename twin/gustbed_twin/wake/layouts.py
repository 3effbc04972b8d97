"""Where the turbines stand: a list of coordinates or a grid, from YAML."""

from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_core.yaml_text import read_yaml
from gustbed_twin.filters import Floats
from gustbed_twin.turbine.variable_speed import Positive


class Grid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows northwards, columns eastwards; ``spacing`` in rotor diameters."""

    rows: Annotated[int, msgspec.Meta(ge=1, le=200)]
    columns: Annotated[int, msgspec.Meta(ge=1, le=200)]
    spacing: Positive


class LayoutFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Either ``turbines``, as [east, north] in m, or ``grid``."""

    turbines: list[tuple[float, float]] | None = None
    grid: Grid | None = None


def read_layout(path: Path, rotor_diameter_m: float) -> Floats:
    """Coordinates (turbines, 2) in m. Raises ``GustbedError`` naming file and key."""
    layout = read_yaml(path, LayoutFile, "a layout", "see `gustbed twin wake --help`")
    if (layout.turbines is None) == (layout.grid is None):
        raise GustbedError(f"{path}: turbines, grid", "give one of the two")
    places = (
        grid(layout.grid.rows, layout.grid.columns, layout.grid.spacing * rotor_diameter_m)
        if layout.grid is not None
        else np.array(layout.turbines, dtype=float).reshape(-1, 2)
    )
    if len(places) == 0:
        raise GustbedError(f"{path}: turbines", "place one at least")
    if not np.isfinite(places).all():
        raise GustbedError(f"{path}: turbines", "use finite coordinates")
    check_distances(str(path), places, rotor_diameter_m)
    return places


def check_distances(where: str, places: Floats, rotor_diameter_m: float) -> None:
    """Raise ``GustbedError`` if two turbines would touch."""
    for number in range(1, len(places)):
        apart = np.hypot(*(places[:number] - places[number]).T)
        if apart.min() < rotor_diameter_m:
            other = int(np.argmin(apart))
            raise GustbedError(
                f"{where}: turbines[{other}] and turbines[{number}] are {apart.min():.0f} m apart",
                f"keep one rotor diameter, {rotor_diameter_m:g} m",
            )


def grid(rows: int, columns: int, spacing_m: float) -> Floats:
    """A rectangular grid, row by row."""
    north, east = np.mgrid[0:rows, 0:columns]
    return np.column_stack((east.ravel(), north.ravel())) * spacing_m


def grid_for(turbines: int, spacing_m: float) -> Floats:
    """The squarest grid that takes them all; the last row may be short."""
    columns = int(np.ceil(np.sqrt(turbines)))
    rows = -(-turbines // columns)
    return grid(rows, columns, spacing_m)[:turbines]
