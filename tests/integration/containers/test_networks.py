"""Who can speak to whom: a site's machines reach nothing but the site, and its edge the cloud."""

import pytest

from tests.support.compose import Compose, clean_environment, docker, image_of

pytestmark = pytest.mark.docker

CLOUD = {"emulator": 4566, "registry": 4567}
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 3).close()
except OSError as error:
    sys.exit(f"{error}")
"""


def address(fleet: Compose, service: str) -> str:
    """Of a service of the cloud, which whoever cannot look its name up may still guess."""
    networks = fleet.containers()[service]["NetworkSettings"]["Networks"]
    (found,) = (each["IPAddress"] for each in networks.values())
    return str(found)


def reaches(fleet: Compose, service: str, host: str, port: int) -> bool:
    """Whether a connection from within a container's network succeeds."""
    container = fleet.containers()[service]["Id"]
    # Whatever its own image can do: the network is the container's.
    where = ("--rm", "--network", f"container:{container}", "--entrypoint", "python")
    command = (image_of("twin"), "-c", CONNECT, host, str(port))
    try:
        docker("run", *where, *command)
    except AssertionError:
        return False
    return True


@pytest.mark.promise("S8")
@pytest.mark.parametrize("service", ["twin", "broker"])
@pytest.mark.parametrize("target", CLOUD)
def test_the_cloud_is_out_of_reach_for_turbines_and_broker(
    fleet: Compose, service: str, target: str
) -> None:
    for host in (target, address(fleet, target)):
        assert not reaches(fleet, service, host, CLOUD[target])
    assert reaches(fleet, "twin", "broker", 8884), "the probe itself works"


@pytest.mark.promise("S8")
@pytest.mark.parametrize("target", CLOUD)
def test_the_cloud_is_in_reach_for_the_edge(fleet: Compose, target: str) -> None:
    assert reaches(fleet, "edge", target, CLOUD[target])


@pytest.mark.promise("S8")
@pytest.mark.parametrize("file", ["docker-compose.yml", "docker-compose.joined.yml"])
def test_only_the_edge_is_on_the_networks_of_site_and_cloud(file: str) -> None:
    environment = clean_environment(GUSTBED_FLEET_PROJECT="farm", COMPOSE_PROFILES="reference")
    model = Compose(environment, ("-f", file)).config()
    networks = {
        name: set(service.get("networks") or ()) for name, service in model["services"].items()
    }
    assert {name for name, on in networks.items() if {"site", "cloud"} <= on} == {"edge"}
    assert networks["twin"] == {"site"}
    assert model["networks"]["site"]["internal"]


def test_a_site_that_joins_shares_nothing_but_where_it_meets_its_fleet() -> None:
    environment = clean_environment(GUSTBED_FLEET_PROJECT="farm", GUSTBED_SITE="site-2")
    model = Compose(environment, ("-f", "docker-compose.joined.yml")).config()
    external = {
        kind: {name for name, each in model[kind].items() if each.get("external")}
        for kind in ("networks", "volumes")
    }
    assert external == {
        "networks": {"cloud", "operators"},
        "volumes": {"requests", "answers", "operators"},
    }
    assert set(model["services"]) == {"init", "broker", "twin", "edge"}
    # By which others call it: a name that no other site has.
    assert model["services"]["edge"]["networks"]["cloud"]["aliases"] == ["edge.site-2"]
    assert model["services"]["broker"]["networks"]["operators"]["aliases"] == ["broker.site-2"]
