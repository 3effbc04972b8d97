"""Faults that are on, as far as commands and their answers tell."""

from gustbed_core import event_kinds
from gustbed_core.commands import Ack, Command
from gustbed_dashboard.site.command_log import CommandLog
from gustbed_dashboard.views import faults


def accepted(log: CommandLog, command: Command, at: float = 1.0) -> None:
    log.add("wt01", command, at)
    log.answer(Ack(command.id, "wt01", True))


def on(log: CommandLog) -> list[tuple[str, str]]:
    return [(fault.fault, fault.signal) for fault in log.active(0.0)]


def test_faults_that_are_no_violation_are_on_until_cleared_by_name() -> None:
    log = CommandLog()
    accepted(log, Command("inject", fault="gearbox_bearing"))
    accepted(log, Command("inject", fault="sensor_stuck", signal="wind_speed"))
    accepted(log, Command("inject", fault="sensor_stuck", signal="pitch"))
    accepted(log, Command("inject", event_kinds.VOLTAGE))

    accepted(log, Command("clear", fault="sensor_stuck", signal="pitch"))
    assert on(log) == [("gearbox_bearing", ""), ("sensor_stuck", "wind_speed"), ("voltage", "")]

    accepted(log, Command("clear", event_kinds.VOLTAGE))
    accepted(log, Command("clear", fault="sensor_stuck"))
    assert on(log) == [("gearbox_bearing", "")]

    accepted(log, Command("clear"))
    assert on(log) == []


def test_what_is_told_the_machine_is_no_fault() -> None:
    log = CommandLog()
    accepted(log, Command("inject", event_kinds.VOLTAGE))
    accepted(log, Command("curtail", value=2000.0))
    accepted(log, Command("stop"))

    assert on(log) == [("voltage", "")]


def test_commands_and_faults_are_said_in_words() -> None:
    log = CommandLog()
    accepted(log, Command("inject", fault="sensor_stuck", signal="wind_speed", severity=0.5))
    accepted(log, Command("curtail", value=2000.0))
    accepted(log, Command("yaw_offset", value=-5.0))
    accepted(log, Command("clear"))

    told = faults.commands(log.newest(), 2.0, lambda turbine: None)
    for said in (
        "Inject sensor stuck on wind speed, severity 0.50, ramp 0 s",
        "Curtail 2000",
        "Yaw offset -5",
        "Clear all faults",
    ):
        assert said in told


def test_an_active_fault_by_name_is_shown_with_its_signal() -> None:
    log = CommandLog()
    accepted(log, Command("inject", fault="sensor_stuck", signal="wind_speed"))
    accepted(log, Command("inject", event_kinds.VOLTAGE))

    shown = faults.active(log.active(0.0), 2.0, lambda turbine: None)

    assert "Sensor stuck on wind speed" in shown
    assert "Voltage" in shown
