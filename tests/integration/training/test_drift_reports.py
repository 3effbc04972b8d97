"""What a drift report of a shipped model says of sites that the twin simulates."""

from pathlib import Path

import pytest

from gustbed_core.jobs import PACKAGE_FILE
from gustbed_training.data.twin import Profile, Run, make
from gustbed_training.detectors.scoring import load_package
from gustbed_training.drift.levels import Level
from gustbed_training.pipeline.drift_report import drift_of

FACTORY = Path(__file__).parents[3] / "services" / "edge" / "gustbed_edge" / "factory"


@pytest.mark.parametrize(
    ("kind", "model", "wind", "level"),
    [
        ("mini", "windturbine", 2.15, Level.NONE),
        ("mini", "windturbine", 4.5, Level.LARGE),
        ("nrel_5mw", "nrel-5mw", 9.0, Level.NONE),
    ],
)
def test_a_site_in_one_of_the_winds_that_were_learnt_does_not_move_one_beyond_them_does(
    kind: str, model: str, wind: float, level: Level, tmp_path: Path
) -> None:
    run = Run("test", "site", 2, 0.3, 4321, wind, 0.12, type=kind)
    make(Profile(f"{kind}-site", (run,)), tmp_path / "site", lambda _: None)
    lines: list[str] = []
    found = drift_of(load_package(FACTORY / model / PACKAGE_FILE), tmp_path / "site", lines.append)
    moved = {one.feature: one.level for one in found.features if one.level is not Level.NONE}
    assert found.inputs == level, moved
    assert found.finding == ("fits" if level is Level.NONE else "inputs_moved")
    assert found.level is Level.NONE
    assert found.hours == pytest.approx(0.3, abs=0.01)
    assert lines[-1].startswith("drift: 2/2 ")
