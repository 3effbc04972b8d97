"""Up, down, up again, and what a careless evening does to a fleet."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import psutil
import pytest

from gustbed_cli.runtime.supervisor import read_state
from tests.support.fleet import RunningFleet, describe, pid_of, running, scored
from tests.support.ports import wait_until


def test_up_twice_starts_nothing_twice(own_fleet: RunningFleet) -> None:
    before = pid_of(own_fleet, "edge")
    own_fleet.cli("up")
    assert pid_of(own_fleet, "edge") == before


def test_up_with_other_settings_starts_the_fleet_anew(own_fleet: RunningFleet) -> None:
    before = pid_of(own_fleet, "edge")
    three = RunningFleet(own_fleet.home, {**own_fleet.environment, "GUSTBED_TURBINES": "3"})
    three.cli("up")
    assert pid_of(own_fleet, "edge") != before
    wait_until(lambda: len(three.turbines()) == 3, "three turbines report", 30)
    assert len(own_fleet.turbines()) == 3, "commands follow what the last up chose"
    own_fleet.cli("up")
    wait_until(lambda: len(own_fleet.turbines()) == 6, "six turbines report", 30)


def test_a_running_fleet_is_not_started_in_the_other_runtime(own_fleet: RunningFleet) -> None:
    other = RunningFleet(own_fleet.home, {**own_fleet.environment, "RUNTIME": "docker"})
    done = other.run("up")
    assert done.returncode == 1
    assert "gustbed down" in done.stderr
    assert own_fleet.turbines()


@pytest.mark.promise("T4")
@pytest.mark.parametrize("service", ["broker", "edge", "twin", "emulator", "registry"])
def test_a_killed_service_leads_back_to_a_working_fleet(
    own_fleet: RunningFleet, service: str
) -> None:
    wait_until(lambda: scored(own_fleet), "all turbines are ok", 60)
    pid = pid_of(own_fleet, service)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(pid), f"{service} is gone")

    def healed() -> bool:
        status = own_fleet.status()
        return (
            all(row["state"] == "healthy" for row in status["services"])
            and status["sites"][0]["edge"]["connected"]
            and scored(own_fleet)
        )

    wait_until(healed, f"the fleet heals after {service} was killed", 90)


def test_up_recovers_from_an_unclean_stop(own_fleet: RunningFleet) -> None:
    state = read_state(own_fleet.home)
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(state.pid), "the supervisor is gone")
    own_fleet.cli("up")
    assert scored(own_fleet) or own_fleet.turbines()


@pytest.mark.promise("S4")
def test_no_password_stands_in_a_log_or_a_process_listing(own_fleet: RunningFleet) -> None:
    secrets = [p.read_text().strip() for p in (own_fleet.home / "credentials").iterdir()]
    keys = [
        line
        for path in (own_fleet.home / "edge").rglob("*key*.pem")
        for line in path.read_text().splitlines()
        if line and not line.startswith("-----")
    ]
    assert keys, "the edge has a private key"
    exposed = "".join(p.read_text(errors="replace") for p in (own_fleet.home / "logs").iterdir())
    exposed += subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout
    assert not [secret for secret in (*secrets, *keys) if secret in exposed]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("fault", "inject", "wt99", "voltage"), 1, "wt99"),
        (("fault", "inject", "wt01", "gremlins"), 2, "gremlins"),
        (("fault", "inject", "wt01", "voltage", "--severity", "7"), 2, "severity"),
        (("logs", "nothing"), 1, "nothing"),
        (("model", "register", "/no/such/package.tar.gz"), 1, "/no/such/package.tar.gz"),
        (("model", "approve", "99.0.0"), 1, "99.0.0"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_bad_input_gets_one_line_and_the_right_exit_code(
    own_fleet: RunningFleet, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = own_fleet.run(*arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    if code == 1:
        assert len(done.stderr.strip().splitlines()) == 1


def test_down_stops_everything_and_nothing_else(tmp_path: Path) -> None:
    with running("process", tmp_path) as fleet:
        state = read_state(fleet.home)
        assert state is not None
        pids = [state.pid, *(p.pid for p in state.processes if p.pid)]
        bystander = subprocess.Popen(["sleep", "60"])
        fleet.cli("down")
        try:
            assert not [pid for pid in pids if psutil.pid_exists(pid)]
            assert bystander.poll() is None
        finally:
            bystander.terminate()
            bystander.wait()
        assert fleet.run("down").returncode == 0


def test_a_taken_port_is_named_with_its_variable(tmp_path: Path) -> None:
    fleet = describe("process", tmp_path)
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", int(fleet.environment["GUSTBED_PORT_MQTT"])))
        squatter.listen()
        done = fleet.run("up")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert fleet.environment["GUSTBED_PORT_MQTT"] in last
    assert "GUSTBED_PORT_MQTT" in last


def test_two_ports_that_are_one_are_named(tmp_path: Path) -> None:
    fleet = describe("process", tmp_path)
    port = fleet.environment["GUSTBED_PORT_MQTT"]
    done = RunningFleet(tmp_path, {**fleet.environment, "GUSTBED_PORT_EDGE": port}).run("up")
    assert done.returncode == 1
    assert "GUSTBED_PORT_MQTT and GUSTBED_PORT_EDGE" in done.stderr


def test_a_wrong_setting_fails_soon_by_its_name_and_leaves_nothing_running(tmp_path: Path) -> None:
    fleet = describe("process", tmp_path, GUSTBED_TWIN_WIND_MEAN="stormy")
    done = fleet.run("up")
    assert done.returncode == 1
    assert "GUSTBED_TWIN_WIND_MEAN" in done.stderr
    assert {row["state"] for row in fleet.status()["services"]} == {"stopped"}


def test_the_aws_target_without_credentials_fails_at_once_by_name(tmp_path: Path) -> None:
    plain = describe("process", tmp_path, TARGET="aws", AWS_EC2_METADATA_DISABLED="true")
    without = {k: v for k, v in plain.environment.items() if not k.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}
    done = RunningFleet(tmp_path, {**without, **nowhere}).run("up")
    assert done.returncode == 1
    assert "AWS_" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unwritable_home_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = describe("process", tmp_path / "file" / "home").run("up")
    assert done.returncode == 1
    assert "GUSTBED_HOME" in done.stderr
    assert "Traceback" not in done.stderr
