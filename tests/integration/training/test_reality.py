"""The shipped models on machines that differ, before and after commissioning."""

from functools import cache
from pathlib import Path

import pytest

from gustbed_cli.training import FACTORY
from gustbed_core.jobs import PACKAGE_FILE
from gustbed_training.detectors.scoring import load_package
from gustbed_training.evaluation.reality_gap import GapRow
from gustbed_training.pipeline.reality import measure_all

HOURS = 0.25
"""Judged in each of three winds, of two machines."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reality")


MACHINES = {"windturbine": "everything up to 10 %", "nrel-5mw": "grid voltage -5 %"}
"""By model: one that differs."""


@cache
def measured(home: Path, model: str) -> dict[str, GapRow]:
    """Two conditions, by name."""
    package = load_package(FACTORY / model / PACKAGE_FILE)
    names = ("unchanged", MACHINES[model])
    rows = measure_all(package, HOURS, home, lambda _: None, names)
    return {row.condition: row for row in rows}


@pytest.mark.promise("F2")
@pytest.mark.parametrize("model", MACHINES)
def test_a_machine_that_differs_is_calm_and_seen_once_it_is_commissioned(
    home: Path, model: str
) -> None:
    rows = measured(home, model)
    unchanged, own = rows["unchanged"], rows[MACHINES[model]].own
    assert own is not None, rows[MACHINES[model]].refused
    assert own.false_verdicts <= 0.001
    assert own.false_events == 0
    assert own.recall >= 0.95 * unchanged.factory.recall
    assert own.found == own.faults == unchanged.factory.found


@pytest.mark.promise("F1")
@pytest.mark.parametrize("model", MACHINES)
def test_who_is_not_commissioned_does_not_cry_wolf(home: Path, model: str) -> None:
    row = measured(home, model)[MACHINES[model]]
    assert row.factory.in_alarm > 0.1
    assert row.wide.in_alarm < 0.01
    assert row.wide.found > 0


@pytest.mark.promise("F1")
@pytest.mark.parametrize("model", MACHINES)
def test_who_is_not_commissioned_is_soon_seen_all_the_same(home: Path, model: str) -> None:
    rows = measured(home, model)
    unchanged, provisional = rows["unchanged"].factory, rows[MACHINES[model]].provisional
    assert rows[MACHINES[model]].too_early == ()
    assert provisional.false_events == 0
    assert provisional.found == provisional.faults == unchanged.found
    assert provisional.recall >= 0.95 * unchanged.recall
