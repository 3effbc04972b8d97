"""Containers whose process is killed come back, and the fleet with them."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from gustbed_cli.fleet import Fleet, PlaceSettings
from gustbed_cli.record import Record
from gustbed_cli.runtime.docker import DockerRuntime
from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings, load
from tests.support.compose import Compose, docker
from tests.support.ports import wait_until

pytestmark = pytest.mark.docker

BACK_WITHIN = 90.0


def restarts(fleet: Compose, service: str) -> int:
    return int(fleet.containers(all_of_them=True)[service]["RestartCount"])


def edge_status(fleet: Compose) -> Any:
    url = f"http://127.0.0.1:{fleet.environment['GUSTBED_PORT_EDGE']}/status"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def works(fleet: Compose) -> bool:
    """Whether every container is healthy and the edge scores, connected to the cloud."""
    containers = fleet.containers(all_of_them=True)
    services = [container for name, container in containers.items() if name != "init"]
    # A container that has never started has no health at all.
    health = {container["State"].get("Health", {}).get("Status") for container in services}
    if health != {"healthy"}:
        return False
    try:
        status = edge_status(fleet)
    except OSError:
        return False
    scoring = {turbine["state"] for turbine in status["turbines"]} == {"ok"}
    return bool(status["connected"]) and scoring


@pytest.mark.promise("T4")
@pytest.mark.parametrize("victim", ["broker", "twin", "edge", "emulator", "registry"])
def test_killing_a_container_leads_back_to_a_working_fleet(fleet: Compose, victim: str) -> None:
    wait_until(lambda: works(fleet), "the fleet works", BACK_WITHIN)
    before = restarts(fleet, victim)
    # `docker kill` would count as a person's wish; this is how a crash looks.
    fleet.run("exec", "--no-TTY", victim, "sh", "-c", "kill -9 -1 & wait", check=False)
    wait_until(lambda: restarts(fleet, victim) > before, f"{victim} is started again", BACK_WITHIN)
    wait_until(lambda: works(fleet), f"the fleet works without {victim}'s old process", BACK_WITHIN)


@pytest.mark.promise("T4")
def test_a_hanging_container_is_ended_and_started_again(fleet: Compose) -> None:
    wait_until(lambda: works(fleet), "the fleet works", BACK_WITHIN)
    before = restarts(fleet, "edge")
    # Its own health check looks every 15 s; here the looks come at once.
    stop = (
        "for p in /proc/[0-9]*; do p=${p#/proc/}; [ $p = 1 ] || [ $p = $$ ] || kill -STOP $p; done"
    )
    fleet.run("exec", "--no-TTY", "edge", "sh", "-c", stop, check=False)
    look = ("/opt/gustbed/check-health", "http://127.0.0.1:8070/health")

    def ended() -> bool:
        fleet.run("exec", "--no-TTY", "edge", *look, check=False)
        return restarts(fleet, "edge") > before

    wait_until(ended, "the edge is started again", BACK_WITHIN)
    wait_until(lambda: works(fleet), "the fleet works again", BACK_WITHIN)


@pytest.fixture
def runtime(fleet: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerRuntime:
    """What the command line makes of the fleet."""
    for name, value in fleet.environment.items():
        monkeypatch.setenv(name, value)
    project = fleet.environment["COMPOSE_PROJECT_NAME"]
    record = Record(
        runtime="docker", target="local", site="site-1", turbines=6, fleet="", project=project
    )
    place = load(PlaceSettings).model_copy(update={"home": tmp_path})
    return DockerRuntime(Fleet(place, SiteSettings(), "local", record=record))


@pytest.mark.promise("T4")
def test_a_killed_container_is_stopped_in_the_status_and_up_repairs_it(
    fleet: Compose, runtime: DockerRuntime
) -> None:
    wait_until(lambda: works(fleet), "the fleet works", BACK_WITHIN)
    killed = fleet.containers()["broker"]["Id"]
    docker("kill", killed)
    states = {row.name: row.state for row in runtime.statuses()}
    assert states["broker"] == "stopped"
    assert set(states) == set(fleet.containers(all_of_them=True)) - {"init"}
    runtime.up(lambda _words: None)
    assert {row.state for row in runtime.statuses()} == {"healthy"}
    wait_until(lambda: works(fleet), "the fleet works again", BACK_WITHIN)


@pytest.mark.promise("P0")
def test_another_checkouts_containers_are_neither_replaced_nor_removed(
    fleet: Compose, runtime: DockerRuntime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wait_until(lambda: works(fleet), "the fleet works", BACK_WITHIN)
    monkeypatch.setattr("gustbed_cli.runtime.docker.require_checkout", lambda _what: tmp_path)
    (tmp_path / "VERSION").write_text("1")
    for act in (runtime.up, runtime.down):
        with pytest.raises(GustbedError, match="COMPOSE_PROJECT_NAME"):
            act(lambda _words: None)
    assert works(fleet)
