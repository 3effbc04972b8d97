"""``scripts/setup`` in a checkout of its own: what failed is no success, whatever else is set."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.paths import ROOT

LOCKS = ("build", "broker", "edge", "cloud", "dashboard", "cli", "emulator")
PACKAGES = (
    *(f"services/{name}" for name in ("core", "broker", "edge", "cloud")),
    *("twin", "training", "dashboards", "cli"),
)
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = '''\
"""As little as pip asks of who builds a package."""
import pathlib, zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = f"gustbed_{{pathlib.Path.cwd().name}}"
    file = f"{{name}}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / file, "w") as wheel:
        wheel.writestr(f"{{name}}.pth", str(pathlib.Path.cwd()))
        wheel.writestr(f"{{name}}-1.0.dist-info/METADATA", {metadata!r}.format(name=name))
        wheel.writestr(f"{{name}}-1.0.dist-info/WHEEL", {wheel!r})
        wheel.writestr(f"{{name}}-1.0.dist-info/RECORD", "")
    return file
'''
NO_INDEX = "http://127.0.0.1:9/simple"


class Checkout:
    """A checkout whose libraries are one small wheel, beside which more can be laid."""

    def __init__(self, root: Path, wheels: Path) -> None:
        self.root, self.wheels = root, wheels

    def ask_for(self, *names: str, lock: str = "cli") -> None:
        """What a lock names; wheels that are not there yet have a hash all the same."""
        lines = [f"{name}==1.0 --hash=sha256:{digest(self.wheels, name)}" for name in names]
        (self.root / "requirements" / f"{lock}.lock").write_text("\n".join([*lines, ""]))

    def start(self, group: str = "run", **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["scripts/setup", group],
            cwd=self.root,
            env=environment(PIP_CONFIG_FILE=str(self.wheels / "pip.conf")) | variables,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, group: str = "run", **variables: str) -> tuple[int, str]:
        with self.start(group, **variables) as process:
            _, said = process.communicate(timeout=120)
        return process.returncode, said

    def has(self, name: str, venv: str = ".venv") -> bool:
        return bool(list((self.root / venv).glob(f"lib/*/site-packages/{name}.py")))


def environment(**variables: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PIP_")}
    return kept | {"PIP_RETRIES": "1"} | variables


def digest(wheels: Path, name: str) -> str:
    file = wheels / f"{name}-1.0-py3-none-any.whl"
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "0" * 64


def make_wheel(wheels: Path, name: str) -> None:
    with ZipFile(wheels / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{name}-1.0.dist-info/METADATA", METADATA.format(name=name))
        wheel.writestr(f"{name}-1.0.dist-info/WHEEL", WHEEL)
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """One that was set up; nobody changes it."""
    root, wheels = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheels")
    shutil.copytree(ROOT / "scripts", root / "scripts")
    (root / "requirements").mkdir()
    for package in PACKAGES:
        (root / package).mkdir(parents=True)
        (root / package / "pyproject.toml").write_text(PROJECT)
        (root / package / "backend.py").write_text(BACKEND.format(metadata=METADATA, wheel=WHEEL))
    (root / "VERSION").write_text("1.0\n")
    checkout = Checkout(root, wheels)
    write_configuration(checkout)
    make_wheel(wheels, "tiny")
    for lock in LOCKS:
        checkout.ask_for("tiny", lock=lock)
    code, said = checkout.run()
    assert code == 0, said
    return checkout


def write_configuration(checkout: Checkout, more: str = "") -> None:
    """A user's own: where packages come from is theirs to say."""
    (checkout.wheels / "pip.conf").write_text(
        f"[global]\nno-index = true\nfind-links = {checkout.wheels}\n{more}"
    )


@pytest.fixture
def checkout(finished: Checkout, tmp_path: Path) -> Checkout:
    root, wheels = tmp_path / "checkout", tmp_path / "wheels"
    shutil.copytree(finished.root, root, symlinks=True)
    shutil.copytree(finished.wheels, wheels)
    mine = Checkout(root, wheels)
    write_configuration(mine)
    return mine


@pytest.mark.promise("P0")
@pytest.mark.parametrize(("lock", "venv"), [("cli", ".venv"), ("emulator", ".venv-emulator")])
def test_a_failed_download_is_no_success_and_the_next_run_makes_it_good(
    checkout: Checkout, lock: str, venv: str
) -> None:
    checkout.ask_for("tiny", "later", lock=lock)
    code, said = checkout.run(PIP_CONFIG_FILE=os.devnull, PIP_INDEX_URL=NO_INDEX)
    assert code == 1
    last = said.splitlines()[-1]
    assert last.startswith("setup: pip could not install the ")
    assert "the package index does not answer: check the network" in last

    make_wheel(checkout.wheels, "later")
    checkout.ask_for("tiny", "later", lock=lock)
    assert checkout.run()[0] == 0
    assert checkout.has("later", venv)
    assert checkout.run() == (0, "")


@pytest.mark.promise("P0")
def test_a_users_settings_of_pip_and_python_change_nothing(
    checkout: Checkout, tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    for name in ("pip", "sitecustomize", "pathlib"):
        (foreign / f"{name}.py").write_text("raise SystemExit('foreign')\n")
    write_configuration(checkout, "[install]\nuser = true\n")
    make_wheel(checkout.wheels, "later")
    checkout.ask_for("tiny", "later")
    code, said = checkout.run(
        PYTHONPATH=str(foreign),
        PYTHONHOME=str(foreign),
        PIP_TARGET=str(tmp_path / "elsewhere"),
        PIP_USER="1",
    )
    assert code == 0, said
    assert checkout.has("later")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.promise("P0")
def test_a_pip_that_would_install_elsewhere_is_named(checkout: Checkout, tmp_path: Path) -> None:
    write_configuration(checkout, f"[install]\ntarget = {tmp_path}/elsewhere\n")
    checkout.ask_for("tiny", "later")
    code, said = checkout.run()
    assert code == 1
    assert "pip's configuration says install.target=" in said.splitlines()[-1]
    assert "PIP_CONFIG_FILE=/dev/null" in said.splitlines()[-1]


def test_a_fleet_of_containers_asks_for_the_command_line_alone(checkout: Checkout) -> None:
    # Whatever else is not there is not looked for.
    for lock in ("edge", "emulator"):
        checkout.ask_for("nowhere", lock=lock)
    assert checkout.run("cli") == (0, "")


def test_two_at_once_take_turns(checkout: Checkout) -> None:
    make_wheel(checkout.wheels, "later")
    checkout.ask_for("tiny", "later", lock="emulator")
    with checkout.start() as first:
        assert first.stderr is not None
        assert "installing" in first.stderr.readline()
        code, said = checkout.run()
        first.communicate(timeout=120)
    assert (first.returncode, code) == (0, 0)
    assert f"another set-up of this checkout runs (pid {first.pid}): waiting" in said
    assert "installing" not in said


def test_an_environment_in_which_pip_was_cut_off_is_made_anew(checkout: Checkout) -> None:
    venv = checkout.root / ".venv-emulator"
    (info,) = venv.glob("lib/*/site-packages/tiny-1.0.dist-info")
    # pip would take the package for installed.
    (info / "RECORD").unlink()
    (venv / "gustbed").unlink()
    code, said = checkout.run()
    assert code == 0, said
    assert ".venv-emulator is not whole: making it anew" in said
    assert (info / "RECORD").exists()


def test_an_unknown_group_is_named(checkout: Checkout) -> None:
    done = subprocess.run(
        ["scripts/setup", "all"], cwd=checkout.root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.splitlines()) == (
        1, ["setup: no group 'all': cli, data, run, twin, train or dev"],
    )  # fmt: skip


@pytest.mark.promise("P0")
def test_the_command_line_of_a_checkout_starts_with_its_own_python(
    checkout: Checkout, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "gustbed", checkout.root / "gustbed")
    command = checkout.root / ".venv" / "bin" / "gustbed"
    command.write_text('#!/bin/sh\necho "${PYTHONPATH-unset} ${PYTHONHOME-unset} $*"\n')
    command.chmod(0o755)
    done = subprocess.run(
        ["./gustbed", "status"],
        cwd=checkout.root,
        env=environment(PYTHONPATH=str(tmp_path), PYTHONHOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "unset unset status\n"


def test_the_command_line_for_containers_installs_no_service(
    finished: Checkout, tmp_path: Path
) -> None:
    root = tmp_path / "checkout"
    leave = shutil.ignore_patterns(".venv*")
    shutil.copytree(finished.root, root, ignore=leave)
    fresh = Checkout(root, finished.wheels)
    for lock in ("edge", "dashboard", "emulator"):
        fresh.ask_for("absent", lock=lock)
    code, said = fresh.run("cli")
    assert code == 0, said
    assert not (root / ".venv-emulator").exists()
    assert fresh.run("cli") == (0, ""), "the second time there is nothing to do"
    assert "absent" not in said
    code, said = fresh.run("run")
    assert code == 1, "processes need what is not there"


def test_who_can_run_processes_needs_nothing_more_for_containers(finished: Checkout) -> None:
    assert finished.run("cli") == (0, "")
