"""From wheels alone, in an empty folder and an empty environment, the fleet runs."""

import json
import subprocess
import tomllib
from pathlib import Path
from zipfile import ZipFile

import psutil
import pytest

from gustbed_cli.runtime.supervisor import read_state
from tests.integration.packaging.wheels import Environment, make_environment, run
from tests.support.cloud import EMULATOR_PYTHON
from tests.support.fleet import RunningFleet, describe, scored
from tests.support.paths import ROOT
from tests.support.ports import wait_until

VERSION = (ROOT / "VERSION").read_text().strip()
PROJECTS = sorted(path.parent for path in ROOT.glob("**/VERSION") if path.parent != ROOT)
SERVICES = ("broker", "twin", "edge", "cloud", "dashboard")
WHERE = """
import importlib, json, pkgutil
names = [m.name for m in pkgutil.iter_modules() if m.name.startswith("gustbed_")]
print(json.dumps({name: importlib.import_module(name).__file__ for name in names}))
"""


def packed(wheels: Path, package: str) -> set[str]:
    """Names of the files in a package's wheel."""
    with ZipFile(wheels / f"gustbed_{package}-{VERSION}-py3-none-any.whl") as wheel:
        return {name for name in wheel.namelist() if not name.endswith("/")}


def test_every_package_has_a_wheel_of_the_one_version(wheels: Path) -> None:
    names = {
        tomllib.loads((project / "pyproject.toml").read_text())["project"]["name"]
        for project in PROJECTS
    }
    assert len(names) == 8
    assert {path.name.split("-")[0].replace("_", "-") for path in wheels.glob("*.whl")} == names
    assert {path.name.split("-")[1] for path in wheels.glob("*.whl")} == {VERSION}


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_a_wheel_carries_every_file_of_its_package(wheels: Path, project: Path) -> None:
    (package,) = (path.parent for path in project.glob("gustbed_*/__init__.py"))
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", package.name],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    tracked = {name for name in listed.stdout.splitlines() if (project / name).is_file()}
    assert tracked
    assert tracked <= packed(wheels, package.name.removeprefix("gustbed_"))


def test_a_wheel_carries_what_lies_elsewhere_in_the_repository(wheels: Path) -> None:
    targets = {f"gustbed_cli/targets/{path.name}" for path in (ROOT / "targets").iterdir()}
    assert targets <= packed(wheels, "cli")
    with ZipFile(wheels / f"gustbed_cloud-{VERSION}-py3-none-any.whl") as wheel:
        pins = wheel.read("gustbed_cloud/emulator/requirements.lock")
    assert pins == (ROOT / "requirements" / "emulator.lock").read_bytes()


def test_nothing_of_ours_comes_from_the_checkout(environment: Environment) -> None:
    python = str(environment.script("python"))
    found = json.loads(run(python, "-c", WHERE))
    assert {f"gustbed_{name}" for name in ("core", "cli", *SERVICES)} == set(found)
    assert all(Path(file).is_relative_to(environment.folder) for file in found.values()), found


@pytest.mark.parametrize("command", ["gustbed", *(f"gustbed-{name}" for name in SERVICES)])
def test_every_command_answers(environment: Environment, command: str) -> None:
    assert "usage" in run(str(environment.script(command)), "--help").lower()


def test_the_command_line_says_its_version(environment: Environment) -> None:
    assert run(str(environment.script("gustbed")), "--version").split() == ["gustbed", VERSION]


def test_training_is_asked_for_by_name_and_then_there(wheels: Path, tmp_path: Path) -> None:
    own = make_environment(tmp_path, wheels)
    own.install("gustbed-cli")
    fleet = installed_fleet(own, tmp_path / "elsewhere")
    done = fleet.run("model", "train")
    assert done.returncode == 1
    assert "pip install 'gustbed-cli[train]'" in done.stderr.strip().splitlines()[-1]
    own.install("gustbed-cli[train]")
    assert "usage" in run(str(own.script("gustbed-training")), "--help").lower()


def installed_fleet(environment: Environment, folder: Path, **variables: str) -> RunningFleet:
    """A fleet that keeps its state where a person stands, and is driven by what was installed."""
    folder.mkdir()
    described = describe("process", folder / ".gustbed", **variables)
    own = {name: value for name, value in described.environment.items() if name != "GUSTBED_HOME"}
    own |= {"GUSTBED_EMULATOR_PYTHON": str(EMULATOR_PYTHON)}
    return RunningFleet(described.home, own, environment.script("gustbed"), folder)


def test_containers_are_refused_in_one_line(environment: Environment, tmp_path: Path) -> None:
    done = installed_fleet(environment, tmp_path / "here", RUNTIME="docker").run("up")
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "checkout" in line


def test_an_installed_fleet_runs_from_up_to_down(environment: Environment, tmp_path: Path) -> None:
    fleet = installed_fleet(environment, tmp_path / "an empty folder")
    try:
        fleet.cli("up")
        state = read_state(fleet.home)
        assert state is not None
        pids = [state.pid, *(process.pid for process in state.processes if process.pid)]
        ours = [psutil.Process(state.pid), *psutil.Process(state.pid).children(recursive=True)]
        commands = [word for process in ours for word in process.cmdline()]
        assert str(environment.script("python")) in commands
        assert not [word for word in commands if f"{ROOT}/services" in word or "gustbed.py" in word]
        assert {row["state"] for row in fleet.status()["services"]} == {"healthy"}
        wait_until(lambda: scored(fleet), "all turbines are ok", 60)

        fleet.cli("fault", "inject", "wt03", "voltage")
        wait_until(
            lambda: any(e["turbine"] == "wt03" and e["kind"] == "voltage" for e in fleet.events()),
            "the fault becomes an event",
            60,
        )
        fleet.cli("fault", "clear", "wt03")
        fleet.cli("down")
        assert not [pid for pid in pids if psutil.pid_exists(pid)]
    finally:
        fleet.run("down")
