"""What the Compose files say, for each place where the cloud may be."""

import os
import shutil
from typing import Any

import pytest

from tests.support.compose import Compose, clean_environment

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed"),
]

WITHOUT_DOT_ENV = ("--env-file", os.devnull)
SITE = {"init", "broker", "twin", "edge"}
CLOUD = {"provisioner", "dashboard"}


def model(target: str, **variables: str) -> Any:
    environment = clean_environment(TARGET=target, **variables)
    for base in ("PYTHON_IMAGE", "MOSQUITTO_IMAGE"):
        environment.pop(base, None)
    return Compose(environment, WITHOUT_DOT_ENV).config()


@pytest.mark.parametrize(
    ("target", "services"),
    [
        ("local", SITE | CLOUD | {"emulator", "registry"}),
        ("aws", SITE | CLOUD),
    ],
)
def test_each_target_is_a_valid_fleet(target: str, services: set[str]) -> None:
    assert set(model(target)["services"]) == services


@pytest.mark.promise("P1")
def test_the_same_images_run_against_the_emulator_and_against_aws() -> None:
    local, aws = model("local")["services"], model("aws")["services"]
    for service in SITE | CLOUD:
        assert local[service]["image"] == aws[service]["image"]
        assert local[service].get("build") == aws[service].get("build")


def test_nothing_of_the_emulator_is_left_in_the_aws_target() -> None:
    here = {"AWS_PROFILE": "farm", "AWS_REGION": "eu-west-1", "GUSTBED_AWS_DIR": "/etc/aws"}
    services = model("aws", **here)["services"]
    for service in CLOUD:
        environment = services[service]["environment"]
        assert environment["AWS_PROFILE"] == "farm"
        assert environment["AWS_REGION"] == "eu-west-1"
        assert not [name for name in environment if name.startswith("AWS_ENDPOINT_URL")]
        assert environment.get("AWS_ACCESS_KEY_ID") is None
    assert not [n for n in services["edge"]["environment"] if n.startswith("AWS_")]


@pytest.mark.promise("P0")
def test_profile_of_the_shell_is_not_looked_for_where_its_folder_is_not_given() -> None:
    services = model("aws", AWS_PROFILE="farm", AWS_ACCESS_KEY_ID="AKIA")["services"]
    for service in CLOUD:
        environment = services[service]["environment"]
        assert (environment["AWS_PROFILE"], environment["AWS_ACCESS_KEY_ID"]) == ("", "AKIA")


@pytest.mark.promise("S1")
@pytest.mark.parametrize("folder", ["", "/srv/exchange"])
def test_requests_and_answers_have_a_volume_each_that_one_side_only_writes(folder: str) -> None:
    services = model("local", **({"GUSTBED_ENROL_EXCHANGE": folder} if folder else {}))["services"]

    def mounts(service: str) -> dict[str, tuple[str, bool]]:
        return {
            mount["target"].rpartition("/")[2]: (mount["source"], mount.get("read_only", False))
            for mount in services[service]["volumes"]
            if mount["target"].startswith("/var/lib/gustbed/enrol")
        }

    at = f"{folder}/" if folder else ""
    assert mounts("edge") == {
        "requests": (f"{at}requests", False),
        "answers": (f"{at}answers", True),
    }
    assert mounts("provisioner") == {
        "requests": (f"{at}requests", True),
        "answers": (f"{at}answers", False),
        "records": ("enrolment-records", False),
    }


def test_only_the_local_target_deploys_and_enrols_whoever_asks() -> None:
    local = model("local")["services"]["provisioner"]["environment"]
    aws = model("aws")["services"]["provisioner"]["environment"]
    assert (local["GUSTBED_DEPLOY"], local["GUSTBED_ENROL"]) == ("true", "any")
    assert not {"GUSTBED_DEPLOY", "GUSTBED_ENROL", "GUSTBED_REBUILD"} & set(aws)
    assert aws["GUSTBED_SITE"] == "site-1"


def test_base_images_are_build_arguments_with_public_defaults() -> None:
    services = model("local")["services"]
    assert services["broker"]["image"] == "eclipse-mosquitto:2"
    for service in services.values():
        # Not given, so that the Dockerfile's own holds.
        assert service.get("build", {}).get("args", {}).get("PYTHON_IMAGE") is None
    environment = clean_environment(TARGET="local", PYTHON_IMAGE="mirror/python:3.11")
    given = Compose(environment, WITHOUT_DOT_ENV).config()["services"]
    bases = {s["build"]["args"]["PYTHON_IMAGE"] for s in given.values() if "build" in s}
    assert bases == {"mirror/python:3.11"}


@pytest.mark.promise("S9")
def test_every_client_of_the_site_broker_speaks_tls() -> None:
    services = model("local", GUSTBED_MQTT_BIND="192.0.2.1")["services"]
    ports = {p["target"]: p["host_ip"] for p in services["broker"]["ports"]}
    # Machines from wherever they are; tools from this machine.
    assert ports == {8884: "192.0.2.1", 8885: "127.0.0.1"}
    ca = "/run/gustbed/credentials/site-ca.pem"
    for client in ("twin", "edge"):
        assert services[client]["environment"]["GUSTBED_MQTT_CA"] == ca
    # What is listed of a site for dashboards has its CA with it.
    assert "GUSTBED_DASHBOARD_SITES_DIR" in services["dashboard"]["environment"]


def test_ports_follow_their_variables() -> None:
    services = model("local", GUSTBED_PORT_MQTT="11883", GUSTBED_PORT_DASHBOARD="18501")["services"]
    assert services["broker"]["ports"][0]["published"] == "11883"
    assert services["dashboard"]["ports"][0]["published"] == "18501"
    addresses = {p["host_ip"] for s in services.values() for p in s.get("ports", [])}
    assert addresses == {"127.0.0.1"}


def test_a_recording_is_mounted_where_the_twin_looks_for_it() -> None:
    twin = model("local", GUSTBED_TWIN_REPLAY="/data/gusts.csv")["services"]["twin"]
    (mount,) = (v for v in twin["volumes"] if v["type"] == "bind")
    assert (mount["source"], mount["read_only"]) == ("/data/gusts.csv", True)
    assert twin["environment"]["GUSTBED_TWIN_REPLAY"] == mount["target"]
    assert not model("local")["services"]["twin"]["environment"]["GUSTBED_TWIN_REPLAY"]


def test_a_site_by_itself_is_a_valid_project() -> None:
    files = ("-f", "docker-compose.site.yml")
    services = Compose(clean_environment(), (*WITHOUT_DOT_ENV, *files)).config()["services"]
    assert set(services) == SITE
