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
from gustbed_twin.fitting.write_type import Change, base_file, check_target, write_type
from gustbed_twin.turbine.miniature_type import read_miniature
from gustbed_twin.turbine.variable_speed import type_file

Fitter = Callable[[list[Recorded], TurbineType, Progress], tuple[Report, Change]]


@dataclass(frozen=True, slots=True)
class FitRequest:
    """What is asked for: recordings, the type to start from, and the file to write.

    Of a dataset's folder ``turbine`` is taken.
    """

    data: tuple[Path, ...]
    type: str
    out: Path
    turbine: str = "wt01"
    types_dir: Path | None = None


def fit(request: FitRequest, progress: Progress) -> tuple[Report, Path]:
    """Fit, write the type's file and a picture beside it; the report and where the picture is.

    Raises ``GustbedError``.
    """
    check_target(request.out)
    base = base_file(request.type, request.types_dir)
    kind = read_type(base)
    fitter = FITTERS.get(str(kind.physics.get("model")))
    if fitter is None:
        raise GustbedError(
            f"{type_file(kind)}: physics.model: {kind.physics.get('model')!r}",
            f"types of {', '.join(FITTERS)} can be fitted",
        )
    recorded = read_all(list(request.data), request.turbine, kind)
    report, change = fitter(recorded, kind, progress)
    title = f"{kind.title}, fitted"
    write_type(base, request.out, title, change, report)
    picture = request.out.with_name(f"{request.out.stem}-fit.png")
    draw_fit(picture, report)
    return report, picture


def _miniature(
    recorded: list[Recorded], kind: TurbineType, progress: Progress
) -> tuple[Report, Change]:
    return fit_miniature(recorded, read_miniature(kind), progress)


FITTERS: dict[str, Fitter] = {"miniature": _miniature}
"""By ``physics.model``."""
