"""GUSTBED_COMPAT=reference brings one more service, in either runtime, and is remembered."""

from pathlib import Path

import pytest

from gustbed_cli.fleet import Fleet, PlaceSettings, addresses_of
from gustbed_cli.runtime import services
from gustbed_cli.runtime.docker import DockerRuntime
from gustbed_core.settings import SiteSettings


def fleet(home: Path, compat: str) -> Fleet:
    place = PlaceSettings(home=home, compat=compat, port_compat=2885)
    return Fleet(place, SiteSettings(), "aws")


@pytest.mark.promise("P3")
@pytest.mark.parametrize("compat", ["", "reference"])
def test_the_compatibility_broker_runs_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compat: str
) -> None:
    monkeypatch.setattr(services, "mosquitto", lambda: "mosquitto")
    started = {service.name: service for service in services.services(fleet(tmp_path, compat))}
    assert ("compat" in started) == bool(compat)
    assert addresses_of(fleet(tmp_path, compat).place)["compat"] == compat


def test_containers_start_it_by_its_profile_beside_those_of_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPOSE_PROFILES", "mine")
    environment = DockerRuntime(fleet(tmp_path, "reference"))._environment()
    assert environment["COMPOSE_PROFILES"] == "mine,reference"
    assert environment["GUSTBED_PORT_COMPAT"] == "2885"
    assert DockerRuntime(fleet(tmp_path, ""))._environment()["COMPOSE_PROFILES"] == "mine"


@pytest.mark.promise("P0")
def test_a_ca_of_another_site_does_not_reach_local_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUSTBED_MQTT_CA", "/elsewhere/site-ca.pem")
    assert fleet(tmp_path, "").environment()["GUSTBED_MQTT_CA"] == ""
    assert fleet(tmp_path, "").mqtt().ca is None
