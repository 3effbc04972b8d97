"""What is asked of the twin, and what is kept of its answers."""

import hashlib
import json
import os
import subprocess
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

from gustbed_core.errors import GustbedError
from gustbed_training.data import twin as twin_module
from gustbed_training.data.dataset import DESCRIPTION, check_complete
from gustbed_training.data.profiles import profile, profile_names
from gustbed_training.data.twin import Profile, cached, digest, make
from tests.support.types import CUT_OUT_MS, RATED_POWER_KW, write_type

TINY = profile("mini-tiny")
NREL = profile("nrel_5mw-tiny")


class FakeTwin:
    """Stands in for the twin's process."""

    def __init__(self, returncode: int = 0) -> None:
        self.commands: list[list[str]] = []
        self.scenarios: list[dict[str, object]] = []
        self.returncode = returncode
        self._lock = threading.Lock()

    def run(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        out = Path(command[command.index("--out") + 1])
        out.mkdir()
        (out / "wt01.parquet").touch()
        with self._lock:
            self.commands.append(command)
            if "--scenario" in command:
                text = Path(command[command.index("--scenario") + 1]).read_text()
                self.scenarios.append(yaml.safe_load(text))
        return subprocess.CompletedProcess(
            command, self.returncode, "", "working\ngustbed-twin: --hours 0: ask for one\n"
        )


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> FakeTwin:
    fake = FakeTwin()
    monkeypatch.setattr("gustbed_training.data.twin.subprocess.run", fake.run)
    return fake


def quiet(_line: str) -> None:
    return


def test_every_run_is_simulated_once_and_the_dataset_is_not_made_twice(
    twin: FakeTwin, tmp_path: Path
) -> None:
    lines: list[str] = []
    make(TINY, tmp_path / "d", lines.append)
    make(TINY, tmp_path / "d", lines.append)
    assert len(twin.commands) == len(TINY.runs)
    assert json.loads((tmp_path / "d" / DESCRIPTION).read_text())["digest"] == digest(TINY)
    faulty = " ".join(next(c for c in twin.commands if "--fault" in c))
    assert "--type mini" in faulty
    assert "--fault wt01:vibration:start=60.0:duration=90.0:severity=1.0" in faulty
    assert len(lines) == 1 + len(TINY.runs)
    assert lines[-1].startswith(f"dataset mini-tiny: {len(TINY.runs)}/{len(TINY.runs)} ")


def test_a_utility_run_brings_its_scenario(twin: FakeTwin, tmp_path: Path) -> None:
    make(NREL, tmp_path / "d", quiet)
    assert all(c[c.index("--type") + 1] == "nrel_5mw" for c in twin.commands)
    assert sorted(s["seed"] for s in twin.scenarios) == sorted(run.seed for run in NREL.runs)  # type: ignore[type-var]
    faults = next(s["faults"] for s in twin.scenarios if "faults" in s)
    assert {"kind": "sensor_stuck", "signal": "voltage_l1"}.items() <= next(
        fault.items() for fault in faults if fault["kind"] == "sensor_stuck"  # type: ignore[attr-defined]
    )  # fmt: skip


def test_an_interrupted_dataset_goes_on_where_it_stopped(twin: FakeTwin, tmp_path: Path) -> None:
    make(TINY, tmp_path, quiet)
    (tmp_path / DESCRIPTION).unlink()
    (tmp_path / TINY.runs[0].folder / "wt01.parquet").unlink()
    (tmp_path / TINY.runs[0].folder).rename(tmp_path / f".{TINY.runs[0].folder}.7.part")
    with pytest.raises(GustbedError, match="unfinished"):
        check_complete(tmp_path)
    twin.commands.clear()
    make(TINY, tmp_path, quiet)
    assert len(twin.commands) == 1
    check_complete(tmp_path)


def test_another_dataset_is_not_overwritten(twin: FakeTwin, tmp_path: Path) -> None:
    make(TINY, tmp_path, quiet)
    with pytest.raises(GustbedError, match="holds another dataset"):
        make(replace(TINY, runs=TINY.runs[:1]), tmp_path, quiet)


def test_the_twins_own_words_are_passed_on(twin: FakeTwin, tmp_path: Path) -> None:
    twin.returncode = 1
    with pytest.raises(GustbedError, match="ask for one"):
        make(TINY, tmp_path / "d", quiet)
    assert list((tmp_path / "d").iterdir()) == []


def test_the_digest_follows_every_parameter() -> None:
    first, *rest = TINY.runs
    others = [
        replace(first, seed=first.seed + 1),
        replace(first, wind=first.wind + 0.1),
        replace(first, hours=first.hours * 2),
        replace(first, turbulence=0.3),
        replace(first, faults=rest[-1].faults),
        replace(first, type="nrel_5mw"),
        replace(first, scenario={"seed": 1}),
    ]
    digests = {digest(replace(TINY, runs=(other, *rest))) for other in others}
    assert len(digests | {digest(TINY)}) == len(others) + 1


def test_the_digest_follows_every_source_of_the_twin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = ["farm.py", "utility/kernel.py", "types/nrel_5mw.yaml", "types/nrel_5mw_rotor.txt"]
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(twin_module, "_twin", lambda: tmp_path)
    seen = {digest(TINY)}
    for name in files:
        (tmp_path / name).write_text("2")
        seen.add(digest(TINY))
    assert len(seen) == 1 + len(files)


def test_the_cache_keeps_the_newest_of_a_name_only(
    twin: FakeTwin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twin_module, "CACHE", tmp_path)
    other = cached(Profile("tiny-b", TINY.runs[:1]), quiet)
    made = []
    for seed in range(4):
        made.append(cached(Profile("tiny", (replace(TINY.runs[0], seed=seed),)), quiet))
        for age, folder in enumerate(reversed(made)):
            if folder.exists():
                # File systems may not tell folders apart that are made in one instant.
                os.utime(folder, (1e9 - age, 1e9 - age))
    assert [folder.exists() for folder in made] == [False, False, True, True]
    assert other.exists()


def test_a_seed_has_one_role_only() -> None:
    """Else normal data of evaluation would be what the model was trained on."""
    runs = {name: profile(name).runs for name in profile_names()}
    machines = {name: runs.pop(f"{name}-population") for name in ("mini", "nrel_5mw")}
    for name, each in runs.items():
        seeds = [run.seed for run in each]
        assert len(seeds) == len(set(seeds)), name
        folders = [run.folder for run in each]
        assert len(folders) == len(set(folders)), name
    for name in ("mini", "nrel_5mw"):
        trained, judged = runs[name], runs[f"{name}-evaluation"]
        assert {run.type for run in (*trained, *judged)} == {name}
        assert {run.seed for run in trained}.isdisjoint(run.seed for run in judged)
        assert {(r.wind, r.turbulence) for r in trained}.isdisjoint(
            (r.wind, r.turbulence) for r in judged
        )
        # The same machines in each wind, that neither learn nor are judged elsewhere.
        (seed,) = {run.seed for run in machines[name]}
        assert seed not in {run.seed for run in (*trained, *judged)}
        assert all(run.variation > 0 for run in machines[name])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mini", "063cc096d7d0d67a5b19316e3d4597e5b1e0d767100f88970190ad07e473ed0b"),
        ("mini-tiny", "52b4a999194938b9d2815edca5871f0879c45e18c58cc20149cd26bec629b8b8"),
        ("mini-evaluation", "9f28364948d1682ecd1d8ae5ddd1eaa9be69ea559fd7d29b1f356c89054c12d5"),
        ("nrel_5mw", "32740a0dc38b9c1623d70fc77fd4a579d2a41fe51fe1b05a99e9b18bb448ba46"),
        ("nrel_5mw-tiny", "4f83ee4078ae9e316aa880587ee0fcc9e590b7a534d331696cce0c26513c94a4"),
        ("nrel_5mw-evaluation", "ac0984a90e1a5d40a9498126fdf290abee1df7fa1132d0c20ca02cd7a2db94de"),
    ],
)
def test_shipped_models_and_their_figures_rest_on_the_same_runs_as_ever(
    name: str, expected: str
) -> None:
    runs = asdict(profile(name))["runs"]
    # Machines that differ were not thought of yet.
    assert {run.pop("variation") for run in runs} == {0.0}
    found = hashlib.sha256(json.dumps(runs, sort_keys=True).encode()).hexdigest()
    assert found == expected


def test_a_type_of_a_users_own_gets_winds_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storms reach near its cut-out, and power is curtailed below its own."""
    monkeypatch.setenv("GUSTBED_TYPES_DIR", str(write_type(tmp_path, "small")))
    runs = profile("small").runs
    assert {run.type for run in runs} == {"small"}
    assert 0.9 * CUT_OUT_MS < max(run.wind for run in runs) < CUT_OUT_MS
    asked = [c for run in runs if run.scenario for c in run.scenario.get("commands", ())]
    most = max(c["value"] for c in asked if c["action"] == "curtail")
    assert 0.9 * RATED_POWER_KW < most < RATED_POWER_KW
    sensors = {f["signal"] for f in runs[-1].scenario["faults"] if "signal" in f}  # type: ignore[index]
    assert {"small_rotor_speed", "small_voltage_l1"} <= sensors
    small = profile("small-tiny").runs[-1].scenario
    assert {f["signal"] for f in small["faults"] if "signal" in f} == {  # type: ignore[index]
        "small_rotor_speed", "small_voltage_l1",
    }  # fmt: skip


def test_a_type_that_changes_makes_another_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUSTBED_TYPES_DIR", str(write_type(tmp_path, "small")))
    before = digest(profile("small-tiny"))
    (tmp_path / "nrel_5mw_rotor.txt").write_text("another table")
    assert digest(profile("small-tiny")) != before


def test_equal_names_give_equal_profiles() -> None:
    assert all(digest(profile(name)) == digest(profile(name)) for name in profile_names())


def test_an_unknown_profile_names_those_that_there_are() -> None:
    with pytest.raises(
        GustbedError, match="mini, mini-tiny, mini-evaluation, mini-population, nrel_5mw"
    ):
        profile("huge")
