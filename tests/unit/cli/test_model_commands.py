"""What ``gustbed model`` and ``gustbed data`` ask of the training package and of the registry."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gustbed_cli import training
from gustbed_cli.commands import data, model, registry
from gustbed_cli.fleet import load_fleet
from gustbed_cli.training import factory_package, newest_package, next_version
from gustbed_cloud import operations
from gustbed_core.errors import GustbedError
from gustbed_core.gate_report import PUBLIC_KEYS
from gustbed_core.package import write_package
from tests.support.packages import tiny_package
from tests.support.paths import ROOT
from tests.unit.cli.fake_cloud import FakeCloud, installed

CLI = CliRunner()
MODEL = registry.NAME


class Child:
    """Stands in for the training package's process."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.code = 0
        self.turbine_type = "mini"

    def run(self, command: list[str], **options: object) -> SimpleNamespace:
        words = command[3:]
        if words[0] == "describe":
            name = MODEL if self.turbine_type == "mini" else self.turbine_type.replace("_", "-")
            described = json.dumps({"turbine_type": self.turbine_type, "name": name})
            assert options["stdout"] is not None
            return SimpleNamespace(returncode=0, stdout=described.encode())
        self.commands.append(words)
        return SimpleNamespace(returncode=self.code)


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Child:
    made = Child()
    monkeypatch.setattr("gustbed_cli.training.subprocess.run", made.run)
    monkeypatch.setattr(training, "ensure", lambda _group: None)
    return made


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fleet that keeps its state in a folder of the test's."""
    folder = tmp_path / "home"
    monkeypatch.setenv("GUSTBED_HOME", str(folder))
    for module in (model, registry):
        monkeypatch.setattr(module, "fleet_with_cloud", load_fleet)
    return folder


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    return installed(monkeypatch)


@pytest.fixture
def no_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect() -> None:
        raise GustbedError("AWS is not reachable", "start the fleet")

    monkeypatch.setattr(operations, "connect", connect)


def _run(app: Any, *arguments: object) -> Result:
    return CLI.invoke(app, [str(word) for word in arguments])


def _option(command: list[str], name: str) -> str | None:
    return command[command.index(name) + 1] if name in command else None


@pytest.mark.usefixtures("no_cloud")
def test_without_a_cloud_one_trains_against_the_factorys_model(child: Child, home: Path) -> None:
    assert _run(model.app, "train", "--seed", 5).exit_code == 0
    (command,) = child.commands
    assert command[0] == "train"
    assert _option(command, "--name") == MODEL
    assert _option(command, "--version") == "1.1.0"
    assert _option(command, "--seed") == "5"
    assert _option(command, "--out") == str(home / "models" / f"{MODEL}-1.1.0.tar.gz")
    assert _option(command, "--incumbent") == str(factory_package(MODEL))
    assert _option(command, "--type") == "mini"
    assert "--data" not in command
    assert "--json" not in command


def test_the_model_in_service_is_what_the_registry_lets_serve(
    child: Child, cloud: FakeCloud, tmp_path: Path
) -> None:
    cloud.versions = {"1.4.0": "Approved"}
    cloud.approved = tmp_path / "approved.tar.gz"
    assert _run(model.app, "train", "--json").exit_code == 0
    (command,) = child.commands
    assert _option(command, "--incumbent") == str(cloud.approved)
    assert _option(command, "--version") == "1.5.0"
    assert command[-1] == "--json"


@pytest.mark.usefixtures("cloud")
def test_data_of_another_type_train_a_model_of_another_name(
    child: Child, tmp_path: Path, home: Path
) -> None:
    child.turbine_type = "skab_pump"
    result = _run(model.app, "train", "--data", tmp_path, "--detector", "pca", "--force",
                  "--epochs", 3, "--hours", 1.5, "--false-per-day", 0.2)  # fmt: skip
    assert result.exit_code == 0
    (command,) = child.commands
    assert _option(command, "--name") == "skab-pump"
    assert _option(command, "--version") == "1.0.0"
    assert _option(command, "--out") == str(home / "models" / "skab-pump-1.0.0.tar.gz")
    assert _option(command, "--data") == str(tmp_path)
    assert _option(command, "--detector") == "pca"
    assert _option(command, "--epochs") == "3"
    assert _option(command, "--hours") == "1.5"
    assert _option(command, "--false-per-day") == "0.2"
    assert "--incumbent" not in command
    assert "--type" not in command
    assert "--force" in command


def test_from_the_lake_what_edges_captured_is_fetched_first(
    child: Child, cloud: FakeCloud, home: Path
) -> None:
    assert _run(model.app, "train", "--from-lake").exit_code == 0
    assert cloud.calls == [("fetch", home / "lake")]
    (command,) = child.commands
    assert _option(command, "--captures") == str(home / "lake")
    assert _option(command, "--type") == "mini"
    assert "--normal" not in command


@pytest.mark.usefixtures("cloud")
def test_declared_periods_are_passed_on_as_they_are(child: Child) -> None:
    periods = "wt03:2026-11-27..2026-11-28"
    assert _run(model.app, "train", "--from-lake", "--normal", periods).exit_code == 0
    assert _option(child.commands[0], "--normal") == periods


def test_an_empty_lake_is_said(child: Child, cloud: FakeCloud) -> None:
    cloud.captures = 0
    result = _run(model.app, "train", "--from-lake")
    assert isinstance(result.exception, GustbedError)
    assert "no capture" in str(result.exception)
    assert child.commands == []


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (("train", "--from-lake", "--data", "x"), True),
        (("train", "--type", "mini", "--data", "x"), True),
        (("train", "--epochs", "0"), True),
        (("train", "--normal", "2026-11-27..2026-11-28"), True),
        (("drift",), True),
        (("drift", "--from-lake", "--data", "x"), True),
        (("card",), True),
        (("compare", "--seeds", "0"), False),
    ],
)
@pytest.mark.usefixtures("cloud")
def test_wrong_usage_is_2(child: Child, words: tuple[str, ...], usage: bool) -> None:
    assert (_run(model.app, *words).exit_code == 2) is usage
    assert bool(child.commands) is not usage


@pytest.mark.usefixtures("cloud")
def test_a_training_that_fails_gives_its_exit_code(child: Child) -> None:
    child.code = 1
    result = _run(model.app, "train")
    assert result.exit_code == 1
    assert "Next" not in result.stdout


@pytest.mark.usefixtures("cloud")
def test_evaluation_takes_the_newest_package_trained_for_the_datas_type(
    child: Child, home: Path, tmp_path: Path
) -> None:
    child.turbine_type = "nrel_5mw"
    folder = home / "models"
    folder.mkdir(parents=True)
    names = ("nrel-5mw-1.2.0", "nrel-5mw-1.1.0", f"{MODEL}-3.0.0", "nrel-5mw-of-mine")
    for age, name in enumerate(names):
        (folder / f"{name}.tar.gz").touch()
        os.utime(folder / f"{name}.tar.gz", (1e9 + age, 1e9 + age))
    assert _run(model.app, "evaluate", "--data", tmp_path, "--json").exit_code == 0
    (command,) = child.commands
    assert _option(command, "--model") == str(folder / "nrel-5mw-1.1.0.tar.gz")
    assert _option(command, "--data") == str(tmp_path)
    assert command[-1] == "--json"


@pytest.mark.usefixtures("cloud")
def test_without_a_trained_package_the_factorys_is_evaluated(child: Child) -> None:
    assert _run(model.app, "evaluate").exit_code == 0
    assert _option(child.commands[0], "--model") == str(factory_package(MODEL))


def test_without_any_package_one_is_told_to_train() -> None:
    with pytest.raises(GustbedError, match="no package of unheard-of"):
        newest_package(load_fleet(), "unheard-of")


@pytest.mark.usefixtures("cloud")
def test_comparing_passes_seeds_on_and_names_the_command_that_repeats_it(child: Child) -> None:
    _run(model.app, "compare", "--seeds", "3,4", "--write-docs")
    (command,) = child.commands
    assert _option(command, "--seeds") == "3,4"
    assert _option(command, "--docs") == str(ROOT / "docs")
    assert _option(command, "--as-command") == "make detection SEEDS=3,4"
    _run(model.app, "compare", "--write-docs")
    assert _option(child.commands[1], "--as-command") == "make detection"
    _run(model.app, "compare", "--seeds", "5", "--against", "docs/detection.json")
    assert _option(child.commands[2], "--against") == "docs/detection.json"


@pytest.mark.usefixtures("cloud")
def test_the_page_is_written_from_the_whole_comparison_only(child: Child, tmp_path: Path) -> None:
    for part in (("--detectors", "pca,forest"), ("--data", tmp_path)):
        assert _run(model.app, "compare", *part).exit_code == 0
        assert _option(child.commands.pop(), part[0]) == str(part[1])
        assert _run(model.app, "compare", "--write-docs", *part).exit_code == 2
    assert child.commands == []


@pytest.mark.usefixtures("cloud")
def test_drift_compares_a_package_with_recordings(child: Child, tmp_path: Path) -> None:
    package = tmp_path / "p.tar.gz"
    _run(model.app, "drift", "--model", package, "--data", tmp_path, "--json")
    (command,) = child.commands
    assert _option(command, "--model") == str(package)
    assert _option(command, "--data") == str(tmp_path)


def test_drift_is_from_the_model_in_service_not_from_the_last_one_trained(
    child: Child, cloud: FakeCloud, tmp_path: Path, home: Path
) -> None:
    (home / "models").mkdir(parents=True)
    (home / "models" / "windturbine-9.9.9.tar.gz").write_bytes(b"refused by its gate")
    cloud.approved = tmp_path / "approved.tar.gz"
    assert _run(model.app, "drift", "--data", tmp_path).exit_code == 0
    assert _option(child.commands[0], "--model") == str(cloud.approved)


def test_files_are_imported_by_their_map(child: Child, tmp_path: Path) -> None:
    result = _run(data.app, "import", "--map", "m.yaml", "a.csv", "b.csv", "--out", tmp_path)
    assert result.exit_code == 0
    assert child.commands == [
        ["import", "--map", "m.yaml", "--out", str(tmp_path), "a.csv", "b.csv"]
    ]
    assert _run(data.app, "report", tmp_path).exit_code == 0
    assert child.commands[1] == ["report", str(tmp_path)]


@pytest.mark.usefixtures("child")
def test_registering_passes_the_reason_and_the_trusted_pipelines_on(
    cloud: FakeCloud, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "tiny.tar.gz"
    write_package(tiny_package(), package)
    monkeypatch.delenv("GUSTBED_PIPELINE_KEYS", raising=False)
    result = _run(model.app, "register", package, "--despite-gate", "a trial")
    assert result.exit_code == 0
    assert cloud.calls == [("register", (package, "a trial", home / PUBLIC_KEYS))]
    monkeypatch.setenv("GUSTBED_PIPELINE_KEYS", "/elsewhere")
    assert _run(model.app, "register", package).exit_code == 0
    assert cloud.calls[1] == ("register", (package, "", None))
    assert "gustbed model approve 9.9.9" in result.stdout


@pytest.mark.usefixtures("cloud")
def test_a_file_that_is_no_package_is_not_registered(cloud: FakeCloud, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tar.gz"
    broken.write_bytes(b"\x1f\x8b")
    result = _run(model.app, "register", broken)
    assert isinstance(result.exception, GustbedError)
    assert "broken.tar.gz" in str(result.exception)
    assert cloud.calls == []


def test_the_newest_pending_version_is_approved_in_the_role_that_is_asked_for(
    cloud: FakeCloud,
) -> None:
    cloud.versions = {
        "1.0.0": "Approved", "1.2.0": "PendingManualApproval", "1.10.0": "PendingManualApproval",
    }  # fmt: skip
    assert _run(model.app, "approve", "--shadow").exit_code == 0
    assert _run(model.app, "approve", "1.0.0", "--rollback").exit_code == 0
    assert cloud.calls == [
        ("approve", ("1.10.0", False, True)),
        ("approve", ("1.0.0", True, False)),
    ]


def test_waiting_follows_the_approval_for_so_long(cloud: FakeCloud) -> None:
    cloud.versions = {"1.2.0": "PendingManualApproval"}
    assert _run(model.app, "approve").exit_code == 0
    assert cloud.followed == []
    assert _run(model.app, "approve", "1.2.0", "--wait").exit_code == 0
    assert _run(model.app, "approve", "1.2.0", "--wait", "--within", "5").exit_code == 0
    assert cloud.followed == [("1.2.0", registry.ROLLOUT_WITHIN), ("1.2.0", 5)]


def test_versions_go_on_after_the_newest_known(cloud: FakeCloud, home: Path) -> None:
    assert next_version(load_fleet(), MODEL) == "1.1.0"
    cloud.versions = {"1.9.0": "Rejected", "1.10.0": "Approved"}
    assert next_version(load_fleet(), MODEL) == "1.11.0"
    (home / "models").mkdir(parents=True)
    (home / "models" / f"{MODEL}-2.0.3.tar.gz").touch()
    assert next_version(load_fleet(), MODEL) == "2.1.0"
