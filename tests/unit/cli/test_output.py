"""What commands print for people."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gustbed_cli import output
from gustbed_cli.commands import bench, fleet
from gustbed_cli.fleet import load_fleet
from gustbed_cli.status import EdgeStatus, FleetStatus, SiteStatus
from gustbed_core.events import ModelRef, TurbineStatus

CLI = CliRunner()


def test_a_heading_is_one_line_however_narrow_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    heading = "site-1: edge gustbed-site-1, connected to the cloud, windturbine 1.0.0 " * 3
    output.table(heading, ["a"], [["[b]x[/b]"]])

    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == heading
    assert "[b]x[/b]" in printed[-1], "a cell is text and no markup"


def test_status_lists_turbines_as_people_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    turbines = [
        TurbineStatus(name, "ok", 1, 0, 0, 0, 0.4, [], "mini") for name in ("wt10", "wt2", "wt100")
    ]
    edge = EdgeStatus("gustbed-site-1", True, ModelRef("m", "1.0.0"), 7, {}, None, lag=600.0)
    now = FleetStatus("process", "local", [], [SiteStatus("site-1", edge, turbines)])
    monkeypatch.setenv("GUSTBED_HOME", str(tmp_path))
    monkeypatch.setattr(fleet, "fleet_status", lambda _fleet, _backend: now)

    fleet.status()

    printed = capsys.readouterr().out
    assert "connected to the cloud, no model, 7 messages waiting, the oldest for 10 min" in printed
    words = printed.split()
    assert [word for word in words if word.startswith("wt")] == ["wt2", "wt10", "wt100"]


@pytest.mark.parametrize("name", ["twin", "edge", "dashboard"])
def test_a_bench_needs_no_fleet_and_takes_nothing_of_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, object] = {}

    def run(command: list[str], **options: object) -> object:
        given.update(options, command=command)
        return type("Done", (), {"returncode": 0})

    monkeypatch.setenv("GUSTBED_HOME", str(tmp_path / "nothing here"))
    monkeypatch.setenv("GUSTBED_MQTT_CREDENTIALS_DIR", str(tmp_path / "nothing"))
    monkeypatch.setattr(bench, "ensure", lambda _group: None)
    monkeypatch.setattr("gustbed_cli.commands.bench.subprocess.run", run)

    assert CLI.invoke(bench.app, [name]).exit_code == 0

    environment, command = given["env"], given["command"]
    assert isinstance(environment, dict)
    assert isinstance(command, list)
    assert not [variable for variable in environment if variable.startswith("GUSTBED_")]
    assert command[0] == sys.executable
    assert Path(command[1]).is_file()
    assert load_fleet().environment()["GUSTBED_MQTT_CREDENTIALS_DIR"], "a fleet would have one"
