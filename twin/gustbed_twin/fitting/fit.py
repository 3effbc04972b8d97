"""``gustbed twin fit``: the twin of one turbine, from its recordings."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import TurbineType, read_type
from gustbed_twin.fitting.estimate import Progress
from gustbed_twin.fitting.fit_miniature import fit_miniature
from gustbed_twin.fitting.pictures import draw_fit
from gustbed_twin.fitting.recorded import Recorded, read_all
from gustbed_twin.fitting.report import Report
from gustbed_twin.fitting.scada import fit_scada
from gustbed_twin.fitting.ten_minutes import parse_columns, read_ten_minutes
from gustbed_twin.fitting.write_type import Change, base_file, check_target, write_type
from gustbed_twin.turbine.miniature_type import read_miniature
from gustbed_twin.turbine.variable_speed import (
    MODEL,
    VariableSpeedType,
    read_variable_speed,
    type_file,
)

Fitter = Callable[[list[Recorded], TurbineType, Progress], tuple[Report, Change]]


@dataclass(frozen=True, slots=True)
class FitRequest:
    """What is asked for: recordings, the type to start from, and the file to write.

    Of a dataset's folder ``turbine`` is taken. With ``columns`` (``QUANTITY=NAME``) the data are
    ten-minute means in CSV.
    """

    data: tuple[Path, ...]
    type: str
    out: Path
    turbine: str = "wt01"
    types_dir: Path | None = None
    columns: tuple[str, ...] = ()


def fit(request: FitRequest, progress: Progress) -> tuple[Report, Path]:
    """Fit, write the type's file and a picture beside it; the report and where the picture is.

    Raises ``GustbedError``.
    """
    check_target(request.out)
    columns = parse_columns(list(request.columns))
    base = base_file(request.type, request.types_dir)
    kind = read_type(base)
    if columns:
        data = read_ten_minutes(list(request.data), columns)
        report, change = fit_scada(data, _variable_speed(kind), progress)
    else:
        recorded = read_all(list(request.data), request.turbine, kind)
        report, change = _fitter(kind)(recorded, kind, progress)
    write_type(base, request.out, f"{kind.title}, fitted", change, report)
    picture = request.out.with_name(f"{request.out.stem}-fit.png")
    draw_fit(picture, report)
    return report, picture


def _fitter(kind: TurbineType) -> Fitter:
    model = str(kind.physics.get("model"))
    if model not in FITTERS:
        raise GustbedError(
            f"{type_file(kind)}: physics.model: {model!r}",
            f"recordings of {', '.join(FITTERS)} can be fitted; ten-minute means with --column",
        )
    return FITTERS[model]


def _variable_speed(kind: TurbineType) -> VariableSpeedType:
    if kind.physics.get("model") != MODEL:
        raise GustbedError(
            f"{type_file(kind)}: physics.model: {kind.physics.get('model')!r}",
            f"--column is for types of model {MODEL}",
        )
    return read_variable_speed(kind)


def _miniature(
    recorded: list[Recorded], kind: TurbineType, progress: Progress
) -> tuple[Report, Change]:
    return fit_miniature(recorded, read_miniature(kind), progress)


def _utility(
    recorded: list[Recorded], kind: TurbineType, progress: Progress
) -> tuple[Report, Change]:
    from gustbed_twin.fitting.fit_variable_speed import fit_variable_speed

    return fit_variable_speed(recorded, read_variable_speed(kind), progress)


FITTERS: dict[str, Fitter] = {"miniature": _miniature, MODEL: _utility}
"""By ``physics.model``."""
