"""Containers whose process is killed come back, and the fleet with them."""

import json
import urllib.request
from typing import Any

import pytest

from tests.support.compose import Compose
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
    if {container["State"]["Health"]["Status"] for container in services} != {"healthy"}:
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
