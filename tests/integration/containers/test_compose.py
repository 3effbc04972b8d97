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
    environment = clean_environment(TARGET=target, LOCALSTACK_AUTH_TOKEN="none", **variables)
    for base in ("PYTHON_IMAGE", "MOSQUITTO_IMAGE"):
        environment.pop(base, None)
    return Compose(environment, WITHOUT_DOT_ENV).config()


@pytest.mark.parametrize(
    ("target", "services"),
    [
        ("local", SITE | CLOUD | {"emulator", "registry"}),
        ("aws", SITE | CLOUD),
        ("localstack", SITE | CLOUD | {"emulator", "registry"}),
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
    services = model("aws", AWS_PROFILE="farm", AWS_REGION="eu-west-1")["services"]
    for service in CLOUD:
        environment = services[service]["environment"]
        assert environment["AWS_PROFILE"] == "farm"
        assert environment["AWS_REGION"] == "eu-west-1"
        assert not [name for name in environment if name.startswith("AWS_ENDPOINT_URL")]
        assert environment.get("AWS_ACCESS_KEY_ID") is None
    assert not [n for n in services["edge"]["environment"] if n.startswith("AWS_")]


def test_base_images_are_build_arguments_with_public_defaults() -> None:
    services = model("local")["services"]
    assert services["broker"]["image"] == "eclipse-mosquitto:2"
    bases = {s["build"]["args"]["PYTHON_IMAGE"] for s in services.values() if "build" in s}
    assert bases == {"python:3.11-slim-bookworm"}


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


def test_a_site_on_its_own_is_built_for_arm64() -> None:
    files = ("-f", "compose/site.yml", "-f", "compose/pi.yml")
    services = Compose(clean_environment(), (*WITHOUT_DOT_ENV, *files)).config()["services"]
    assert set(services) == SITE
    assert {service["platform"] for service in services.values()} == {"linux/arm64"}
