"""Which fleet, which cloud: nothing meant for the emulator reaches a person's AWS account."""

from pathlib import Path

import pytest

from gustbed_cli.fleet import (
    Choice,
    Fleet,
    PlaceSettings,
    fleet_to_start,
    load_fleet,
    read_choice,
    target_variables,
    write_choice,
)
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
    assert read_choice(tmp_path) is None
    write_choice(tmp_path, Choice("process", "aws", "north", 40))
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


def test_a_port_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUSTBED_PORT_MQTT", "99999")
    with pytest.raises(GustbedError, match="GUSTBED_PORT_MQTT"):
        load_fleet()
