"""What the command line tells a running farm, and what it refuses before it tells anything."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from gustbed_cli import live_farm
from gustbed_cli.commands import fault, twin
from gustbed_core import event_kinds
from gustbed_core.commands import Ack, Command

CLI = CliRunner()


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin, "ensure", lambda _group: None)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Command]]:
    commands: list[tuple[str, Command]] = []

    def send_command(turbine: str, command: Command, _site: str | None = None) -> Ack:
        commands.append((turbine, command))
        return Ack(command.id, turbine, True)

    monkeypatch.setattr(live_farm, "send_command", send_command)
    monkeypatch.setattr(fault, "send_command", send_command)
    return commands


@pytest.mark.parametrize(
    ("arguments", "action", "value"),
    [
        (("stop",), "stop", None),
        (("start",), "start", None),
        (("reset",), "reset", None),
        (("curtail", "--value", "2000"), "curtail", 2000.0),
        (("yaw", "--value", "-12.5"), "yaw_offset", -12.5),
        (("pitch", "--value", "3"), "pitch_offset", 3.0),
    ],
)
def test_a_turbine_gets_the_contracts_command(
    sent: list[tuple[str, Command]], arguments: tuple[str, ...], action: str, value: float | None
) -> None:
    done = CLI.invoke(twin.app, ["command", "wt02", *arguments])
    assert done.exit_code == 0, done.output
    [(turbine, command)] = sent
    assert (turbine, command.action, command.value) == ("wt02", action, value)


@pytest.mark.parametrize("arguments", [("curtail",), ("stop", "--value", "1"), ("explode",)])
def test_what_makes_no_sense_is_wrong_usage_and_not_sent(
    sent: list[tuple[str, Command]], arguments: tuple[str, ...]
) -> None:
    assert CLI.invoke(twin.app, ["command", "wt02", *arguments]).exit_code == 2
    assert sent == []


def test_physical_faults_go_by_name_and_injections_by_kind(
    sent: list[tuple[str, Command]],
) -> None:
    for arguments in (
        ["inject", "wt01", "icing", "--severity", "0.5"],
        ["inject", "wt01", "sensor_stuck", "--signal", "pitch"],
        ["inject", "wt01", "rotation"],
        ["clear", "wt01", "icing"],
        ["clear", "wt01"],
    ):
        assert CLI.invoke(fault.app, arguments).exit_code == 0
    found = [(c.action, c.kind, c.fault, c.signal) for _, c in sent]
    assert found == [
        ("inject", None, "icing", ""),
        ("inject", None, "sensor_stuck", "pitch"),
        ("inject", event_kinds.ROTATION, "", ""),
        ("clear", None, "icing", ""),
        ("clear", None, "", ""),
    ]
    assert CLI.invoke(fault.app, ["inject", "wt01", "gremlins"]).exit_code == 2
    assert len(sent) == len(found)


def test_what_if_asks_the_running_farm_unless_another_is_described(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from gustbed_twin.checkpoints.farm import save_farm
    from gustbed_twin.physics.model import FarmPlan
    from gustbed_twin.physics.registry import load_physics

    farm = load_physics("nrel_5mw").build(FarmPlan(3))
    farm.control(1, "stop")
    farm.advance(2400)
    save_farm(farm, tmp_path / "farm.npz")
    state = (tmp_path / "farm.npz").read_bytes()
    monkeypatch.setattr(live_farm, "is_running", lambda: True)
    monkeypatch.setattr(live_farm, "checkpoint_now", lambda *_where, **_named: state)
    of_it = CLI.invoke(twin.app, ["whatif", "--hours", "0.02", "--json"])
    assert '"farm":"the running farm"' in of_it.stdout
    assert [mode in of_it.stdout for mode in ('"mode":"stopped"', "wt03", "wt04")] == [
        True, True, False,
    ]  # fmt: skip
    fresh = CLI.invoke(twin.app, ["whatif", "--hours", "0.02", "--turbines", "4", "--json"])
    assert '"farm":"a fresh farm"' in fresh.stdout
    assert "wt04" in fresh.stdout
    both = CLI.invoke(twin.app, ["whatif", "--live", "--turbines", "4"])
    assert both.exit_code == 2


def test_what_if_asks_a_running_farm_of_miniatures_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from gustbed_twin.checkpoints.farm import save_farm
    from gustbed_twin.physics.model import FarmPlan
    from gustbed_twin.physics.registry import load_physics

    save_farm(load_physics("mini").build(FarmPlan(2)), tmp_path / "farm.npz")
    state = (tmp_path / "farm.npz").read_bytes()
    monkeypatch.setattr(live_farm, "is_running", lambda: True)
    monkeypatch.setattr(live_farm, "checkpoint_now", lambda *_where, **_named: state)
    asked = ["whatif", "--hours", "0.02", "--wind", "2.5", "--change", "wt01:rotation=1"]
    done = CLI.invoke(twin.app, [*asked, "--json"])
    assert '"farm":"the running farm"' in done.stdout
    assert '"energy_kwh_before":null' in done.stdout
    assert CLI.invoke(twin.app, asked).exit_code == 0


def test_faults_are_listed_with_the_channels_of_a_type() -> None:
    done = CLI.invoke(twin.app, ["faults", "--json"])
    assert '"gearbox_bearing_temperature":1' in done.stdout
    done = CLI.invoke(twin.app, ["faults", "--type", "mini", "--json"])
    assert '"rps":-1' in done.stdout
    assert "icing" not in done.stdout


def test_the_running_farms_state_is_written_where_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    state = np.arange(5, dtype=np.uint8).tobytes()
    monkeypatch.setattr(live_farm, "checkpoint_now", lambda *_where, **_named: state)
    assert CLI.invoke(twin.app, ["checkpoint", "--out", str(tmp_path / "a")]).exit_code == 0
    assert (tmp_path / "a").read_bytes() == state
    missing = CLI.invoke(twin.app, ["checkpoint", "--out", str(tmp_path / "no" / "a")])
    assert missing.exit_code == 1
