"""What is asked of the twin, and what a folder of runs says."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from gustbed_protocol.errors import GustbedError
from gustbed_training import datasets
from gustbed_training.datasets import DESCRIPTION, check_complete, digest, make, role_of
from gustbed_training.profiles import PROFILES, profile

TINY = PROFILES["tiny"]


class FakeTwin:
    """Stands in for the twin's process."""

    def __init__(self, returncode: int = 0) -> None:
        self.commands: list[list[str]] = []
        self.returncode = returncode

    def run(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        out = Path(command[command.index("--out") + 1])
        out.mkdir()
        (out / "wt01.parquet").touch()
        return subprocess.CompletedProcess(
            command, self.returncode, "", "working\ngustbed-twin: --hours 0: ask for one\n"
        )


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> FakeTwin:
    fake = FakeTwin()
    monkeypatch.setattr(datasets.subprocess, "run", fake.run)
    return fake


def test_every_run_is_simulated_once_and_the_dataset_is_not_made_twice(
    twin: FakeTwin, tmp_path: Path
) -> None:
    make(TINY, tmp_path / "d", lambda line: None)
    make(TINY, tmp_path / "d", lambda line: None)
    assert len(twin.commands) == len(TINY.runs)
    described = json.loads((tmp_path / "d" / DESCRIPTION).read_text())
    assert described["digest"] == digest(TINY)
    faulty = " ".join(next(c for c in twin.commands if "--fault" in c))
    assert "--fault wt01:vibration:start=60.0:duration=90.0:severity=1.0" in faulty


def test_an_interrupted_dataset_goes_on_where_it_stopped(twin: FakeTwin, tmp_path: Path) -> None:
    make(TINY, tmp_path, lambda line: None)
    (tmp_path / DESCRIPTION).unlink()
    (tmp_path / TINY.runs[0].folder / "wt01.parquet").unlink()
    (tmp_path / TINY.runs[0].folder).rmdir()
    with pytest.raises(GustbedError, match="unfinished"):
        check_complete(tmp_path)
    twin.commands.clear()
    make(TINY, tmp_path, lambda line: None)
    assert len(twin.commands) == 1
    check_complete(tmp_path)


def test_another_dataset_is_not_overwritten(twin: FakeTwin, tmp_path: Path) -> None:
    make(TINY, tmp_path, lambda line: None)
    other = replace(TINY, runs=TINY.runs[:1])
    with pytest.raises(GustbedError, match="holds another dataset"):
        make(other, tmp_path, lambda line: None)


def test_the_twins_own_words_are_passed_on(twin: FakeTwin, tmp_path: Path) -> None:
    twin.returncode = 1
    with pytest.raises(GustbedError, match="ask for one"):
        make(TINY, tmp_path / "d", lambda line: None)
    assert not (tmp_path / "d" / TINY.runs[0].folder).exists()


def test_the_digest_follows_every_parameter() -> None:
    first, *rest = TINY.runs
    others = [
        replace(first, seed=first.seed + 1),
        replace(first, wind=first.wind + 0.1),
        replace(first, hours=first.hours * 2),
        replace(first, turbulence=0.3),
        replace(first, faults=rest[-1].faults),
    ]
    digests = {digest(replace(TINY, runs=(other, *rest))) for other in others}
    assert len(digests | {digest(TINY)}) == len(others) + 1


def test_a_seed_has_one_role_only() -> None:
    """Else normal data of evaluation would be what the model was trained on."""
    for each in PROFILES.values():
        seeds = [run.seed for run in each.runs]
        assert len(seeds) == len(set(seeds)), each.name
    default = {run.seed for run in PROFILES["default"].runs}
    assert default.isdisjoint(run.seed for run in PROFILES["evaluation"].runs)


def test_roles_are_read_from_folders(tmp_path: Path) -> None:
    assert role_of(tmp_path / "fault-wind2" / "wt01.parquet", tmp_path) == "fault"
    assert role_of(tmp_path / "monday" / "wt01.csv", tmp_path) == "train"
    assert role_of(tmp_path / "test-a.csv", tmp_path / "test-a.csv") == "train"


def test_an_unknown_profile_names_those_that_there_are() -> None:
    with pytest.raises(GustbedError, match="default, tiny, evaluation"):
        profile("huge")
