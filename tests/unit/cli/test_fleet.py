"""Which fleet, which cloud: nothing meant for the emulator reaches a person's AWS account."""

import os
import socket
from pathlib import Path

import pytest

from gustbed_cli.fleet import (
    Fleet,
    PlaceSettings,
    fleet_to_start,
    fleet_to_stop,
    load_fleet,
    target_variables,
)
from gustbed_cli.record import Record, project_of, read_record, write_record
from gustbed_cli.runtime import process
from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings


def fleet(tmp_path: Path, target: str = "local", **place: int) -> Fleet:
    return Fleet(PlaceSettings(home=tmp_path, **place), SiteSettings(), target)  # type: ignore[arg-type]


def test_the_local_target_follows_the_fleets_ports() -> None:
    values = target_variables(
        "local", PlaceSettings(port_aws=1111, port_registry=2222, port_iot=3333)
    )
    assert values["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1111"
    assert values["AWS_ENDPOINT_URL_SAGEMAKER"] == "http://127.0.0.1:2222"
    assert values["GUSTBED_IOT_PORT"] == "3333"


def test_a_persons_own_aws_identity_never_reaches_the_local_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    environment = fleet(tmp_path).environment()
    assert "AWS_PROFILE" not in environment
    assert "AWS_SESSION_TOKEN" not in environment


@pytest.mark.promise("P1")
def test_the_aws_target_sets_nothing_but_what_the_person_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    environment = fleet(tmp_path, "aws").environment()
    assert environment["AWS_PROFILE"] == "production"
    assert "AWS_ENDPOINT_URL" not in environment
    assert "GUSTBED_IOT_HOST" not in environment


def test_the_last_ups_choice_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_record(tmp_path) is None
    write_record(tmp_path, Record(runtime="process", target="aws", site="north", turbines=40))
    monkeypatch.setenv("GUSTBED_HOME", str(tmp_path))
    for name in ("TARGET", "GUSTBED_SITE", "GUSTBED_TURBINES"):
        monkeypatch.delenv(name, raising=False)
    running = load_fleet()
    assert (running.target, running.site.site, running.site.turbines) == ("aws", "north", 40)
    assert fleet_to_start().target == "local", "starting on AWS again must be asked for again"
    monkeypatch.setenv("GUSTBED_TURBINES", "3")
    assert load_fleet().site.turbines == 3


def test_a_wrong_target_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGET", "azure")
    with pytest.raises(GustbedError, match="TARGET"):
        load_fleet()


@pytest.mark.promise("P0")
def test_a_taken_port_is_named_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "ensure", lambda group: pytest.fail(f"installs {group}"))
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        runtime = process.ProcessRuntime(fleet(tmp_path, port_mqtt=port))
        with pytest.raises(GustbedError, match=f"port {port} is taken .*GUSTBED_PORT_MQTT"):
            runtime.up(lambda _: None)


def test_a_port_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUSTBED_PORT_MQTT", "99999")
    with pytest.raises(GustbedError, match="GUSTBED_PORT_MQTT"):
        load_fleet()


def started(home: Path, monkeypatch: pytest.MonkeyPatch, **changes: object) -> Record:
    """A home whose fleet listens on ports of its own, in a shell without any variables."""
    for name in [name for name in os.environ if name.startswith(("GUSTBED_", "COMPOSE_"))]:
        monkeypatch.delenv(name)
    for name in ("RUNTIME", "TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GUSTBED_HOME", str(home))
    values: dict[str, object] = {
        "runtime": "process",
        "target": "local",
        "site": "north",
        "turbines": 4,
        "addresses": {"port_mqtt": 21883, "port_edge": 28070, "stack": "mine"},
        "fleet": "f1",
        **changes,
    }
    record = Record(**values)  # type: ignore[arg-type]
    write_record(home, record)
    return record


@pytest.mark.promise("P0")
def test_a_shell_without_variables_speaks_to_the_fleet_of_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(tmp_path, monkeypatch)
    found = load_fleet()
    assert (found.place.port_mqtt, found.place.port_edge, found.place.stack) == (
        21883,
        28070,
        "mine",
    )
    assert found.id == "f1"
    assert found.environment()["GUSTBED_FLEET"] == "f1"


@pytest.mark.promise("P0")
@pytest.mark.parametrize(
    ("variable", "said", "recorded"),
    [
        ("GUSTBED_PORT_MQTT", "1999", "21883"),
        ("GUSTBED_STACK", "other", "mine"),
        ("RUNTIME", "docker", "process"),
    ],
)
def test_a_variable_that_names_another_address_is_an_error_with_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, said: str, recorded: str
) -> None:
    started(tmp_path, monkeypatch)
    monkeypatch.setenv(variable, said)
    with pytest.raises(GustbedError, match=f"{variable}={said}.*{recorded}"):
        load_fleet()
    assert fleet_to_stop().place.port_mqtt == 21883, "down stops what was started"


def test_the_same_address_said_again_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(tmp_path, monkeypatch)
    monkeypatch.setenv("GUSTBED_PORT_MQTT", "21883")
    assert load_fleet().place.port_mqtt == 21883


def test_another_compose_project_than_the_fleets_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(tmp_path, monkeypatch, runtime="docker", project="gustbed-mine")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "gustbed-theirs")
    with pytest.raises(GustbedError, match=r"COMPOSE_PROJECT_NAME=gustbed-theirs.*gustbed-mine"):
        load_fleet()


def test_a_home_keeps_its_fleets_id_and_a_new_one_gets_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(tmp_path, monkeypatch)
    assert fleet_to_start().id == "f1"
    monkeypatch.setenv("GUSTBED_HOME", str(tmp_path / "another"))
    assert fleet_to_start().id not in ("", "f1")
    assert load_fleet().id == "", "nothing was started there"


@pytest.mark.promise("P0")
def test_two_homes_never_share_a_compose_project(tmp_path: Path) -> None:
    first, second = project_of(tmp_path / "a" / "gustbed"), project_of(tmp_path / "b" / "gustbed")
    assert first != second
    assert first.startswith("gustbed-")
