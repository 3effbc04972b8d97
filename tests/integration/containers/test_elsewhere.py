"""A site on another machine: installed over ssh, enrolled, updated, taken back, removed."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.compose import TAG, docker, image_of
from tests.support.fleet import RunningFleet, running
from tests.support.machine import RemoteMachine, remote_machine
from tests.support.packages import shipped_again
from tests.support.ports import wait_until

pytestmark = pytest.mark.docker

SITE, THING, PROJECT = "garden", "gustbed-garden", "gustbed-garden"
BROKEN = f"{TAG}-broken"
ASK = (
    "python -c \"import urllib.request as u; print(u.urlopen('http://127.0.0.1:8070/{}').read()"
    '.decode())"'
)


@dataclass(frozen=True)
class Away:
    """A fleet here, and a machine over there."""

    fleet: RunningFleet
    machine: RemoteMachine

    def edge(self, what: str) -> Any:
        """What the edge's HTTP answers there."""
        asked = ASK.format(what)
        return json.loads(self.machine.run(f"docker exec {PROJECT}-edge-1 {asked}"))

    def scores(self) -> bool:
        """Whether every turbine is judged, and the edge is connected to the cloud."""
        try:
            status = self.edge("status")
        except AssertionError:
            return False  # it is starting
        states = {turbine["state"] for turbine in status["turbines"]}
        return bool(status["connected"]) and states == {"ok"}

    def containers(self) -> dict[str, str]:
        """Id and time of start of each container, by name."""
        shown = "{{.Name}} {{.Id}} {{.State.StartedAt}}"
        printed = self.machine.run(f"docker inspect --format '{shown}' $(docker ps -q)")
        return dict(line.split(" ", 1) for line in printed.splitlines())


@pytest.fixture(scope="module")
def away(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Away]:
    with remote_machine(tmp_path_factory.mktemp("machine") / "d") as machine:
        changes = {
            "GUSTBED_EMULATOR_HOST": "0.0.0.0",  # noqa: S104 - the other machine must reach it
            "GUSTBED_EMULATOR_NAME": machine.here,
            "GUSTBED_SSH_OPTIONS": machine.options,
            "GUSTBED_TAG": TAG,
            "GUSTBED_TURBINES": "2",
        }
        with running("process", tmp_path_factory.mktemp("fleet"), **changes) as fleet:
            yield Away(fleet, machine)


@pytest.fixture(scope="module")
def site(away: Away) -> Away:
    """The site, installed."""
    away.fleet.cli("site", "add", SITE, "--on", f"ssh://root@{away.machine.address}", timeout=600)
    return away


def test_a_site_is_installed_enrolled_and_scores(site: Away) -> None:
    wait_until(site.scores, "the other machine's turbines are judged", 90)
    shown = site.fleet.json("site", "show", SITE)
    states = {row["name"]: row["health"] for row in shown["services"]}
    assert states == {"init": "-", "broker": "healthy", "twin": "healthy", "edge": "healthy"}
    things = site.fleet.aws("iot").list_things()["things"]
    assert THING in {row["thingName"] for row in things}
    assert SITE in site.fleet.cli("site", "list")


def test_the_images_are_the_very_ones(site: Away) -> None:
    used = site.machine.run("docker inspect --format '{{.Image}}' $(docker ps -q)").split()
    ours = [image_of(name) for name in ("edge", "twin")]
    ids = docker("image", "inspect", "--format", "{{.Id}}", *ours).split()
    assert set(ids) <= set(used)


def test_a_second_time_changes_nothing(site: Away) -> None:
    before = site.containers()
    done = site.fleet.run("site", "update", SITE, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stderr
    assert "sending" not in done.stderr
    assert site.containers() == before


def test_an_approval_reaches_it(site: Away, tmp_path: Path) -> None:
    package = str(shipped_again("1.5.0", tmp_path))
    site.fleet.cli("model", "register", package, "--despite-gate", "made by a test")
    site.fleet.cli("model", "approve", "1.5.0")
    wait_until(lambda: site.edge("status")["model"]["version"] == "1.5.0", "it is updated", 90)


def test_a_release_that_does_not_work_is_taken_back(site: Away) -> None:
    before = site.machine.run(f"readlink /opt/gustbed/{SITE}/current")
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", f"gustbed/edge:{BROKEN}", "-"],
        input=f'FROM {image_of("edge")}\nENTRYPOINT ["false"]\n',
        text=True,
        check=True,
        capture_output=True,
    )
    for name in ("broker", "twin"):
        docker("tag", f"gustbed/{name}:{TAG}", f"gustbed/{name}:{BROKEN}")
    changed = {**site.fleet.environment, "GUSTBED_TAG": BROKEN, "GUSTBED_HEALTHY_WITHIN": "12"}
    try:
        done = RunningFleet(site.fleet.home, changed).run("site", "update", SITE, timeout=600)
    finally:
        docker("rmi", *(f"gustbed/{name}:{BROKEN}" for name in ("edge", "broker", "twin")))
    assert done.returncode == 1
    assert "went back" in done.stderr
    assert site.machine.run(f"readlink /opt/gustbed/{SITE}/current") == before
    wait_until(site.scores, "the release before works again", 90)


def test_a_cloud_that_it_cannot_reach_is_named_and_nothing_is_sent(site: Away) -> None:
    shy = {**site.fleet.environment, "GUSTBED_EMULATOR_NAME": ""}
    address = f"root@{site.machine.address}"
    done = RunningFleet(site.fleet.home, shy).run("site", "add", "attic", "--on", address)
    assert done.returncode == 1
    assert "GUSTBED_EMULATOR_NAME" in done.stderr.strip().splitlines()[-1]
    assert "attic" not in site.machine.run("ls /var/lib/gustbed")


def test_a_site_that_is_removed_leaves_nothing(site: Away) -> None:
    site.fleet.cli("site", "remove", SITE, "--yes", timeout=300)
    assert not site.machine.run("docker ps --all --quiet; docker volume ls --quiet").strip()
    assert not site.machine.run(f"ls -d /opt/gustbed/{SITE} /var/lib/gustbed/{SITE}", check=False)
    things = site.fleet.aws("iot").list_things()["things"]
    assert THING not in {row["thingName"] for row in things}
