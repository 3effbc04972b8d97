"""Another site joins a fleet that runs, works, and goes without a trace."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cloud.rollouts import package
from tests.support.fleet import RunningFleet
from tests.support.ports import wait_until

SITE = "north-2"
MODEL, VERSION = "windturbine", "90.0.0"


@pytest.fixture(scope="module")
def site(fleet: RunningFleet) -> Iterator[Any]:
    """What `gustbed site add --json` said of a site of two turbines."""
    yield fleet.json("site", "add", SITE, "--turbines", "2", timeout=300)
    fleet.run("site", "remove", SITE, "--yes")


def sites(fleet: RunningFleet) -> dict[str, Any]:
    return {each["site"]: each for each in fleet.json("site", "list")}


def events_of(fleet: RunningFleet, site: str) -> list[Any]:
    found: list[Any] = fleet.json("events", "--site", site)
    return found


def things(fleet: RunningFleet) -> set[str]:
    rows = fleet.aws("iot").list_things()["things"]
    return {row["thingName"] for row in rows}


@pytest.mark.usefixtures("site")
def test_a_site_that_joins_is_enrolled_and_scores(fleet: RunningFleet) -> None:
    def works() -> bool:
        joined = sites(fleet)[SITE]
        states = [turbine["state"] for turbine in joined["turbines"]]
        return joined["edge"]["connected"] and states == ["ok", "ok"]

    wait_until(works, f"{SITE} scores and is connected", 90)
    assert f"gustbed-{SITE}" in things(fleet)
    # The first site is as it was, and status tells of both.
    status = fleet.status()
    assert [each["site"] for each in status["sites"]] == ["site-1", SITE]
    assert {row["name"]: row["state"] for row in status["services"]}[f"{SITE}/edge"] == "healthy"


@pytest.mark.usefixtures("site")
def test_a_fault_is_found_on_the_site_that_it_was_injected_on_and_nowhere_else(
    fleet: RunningFleet,
) -> None:
    ok = ["ok", "ok"]
    wait_until(lambda: [t["state"] for t in sites(fleet)[SITE]["turbines"]] == ok, "scores", 60)
    before = {event["id"] for event in events_of(fleet, "site-1")}

    fleet.cli("fault", "inject", "wt02", "voltage", "--severity", "0.8", "--site", SITE)
    wait_until(lambda: events_of(fleet, SITE), f"an event opens on {SITE}", 20)
    (event,) = events_of(fleet, SITE)
    assert (event["site"], event["turbine"], event["kind"]) == (SITE, "wt02", "voltage")
    fleet.cli("fault", "clear", "wt02", "--site", SITE)

    # A turbine of the same name stands on the first site, too.
    assert {event["id"] for event in events_of(fleet, "site-1")} == before
    assert event["id"] in {each["id"] for each in fleet.events()}


@pytest.mark.usefixtures("site")
def test_one_approval_reaches_the_edge_of_every_site(fleet: RunningFleet, tmp_path: Path) -> None:
    made = str(package(tmp_path, VERSION, MODEL))
    fleet.cli("model", "register", made, "--despite-gate", "made by a test")
    # In shadow, so that what serves goes on serving.
    fleet.cli("model", "approve", VERSION, "--shadow")

    def reached() -> set[str]:
        beside = {name: each["edge"]["shadow_models"] for name, each in sites(fleet).items()}
        return {
            name
            for name, models in beside.items()
            if any(each["model"]["version"] == VERSION for each in models.values())
        }

    wait_until(lambda: reached() == {"site-1", SITE}, "both edges run it in shadow", 60)


@pytest.mark.usefixtures("site")
def test_a_site_changes_its_turbines_and_keeps_its_identity(fleet: RunningFleet) -> None:
    def certificates() -> list[str]:
        thing = f"gustbed-{SITE}"
        found: list[str] = fleet.aws("iot").list_thing_principals(thingName=thing)["principals"]
        return found

    before = certificates()
    fleet.cli("site", "update", SITE, "--turbines", "3")
    wait_until(lambda: len(sites(fleet)[SITE]["turbines"]) == 3, "three turbines report", 60)
    assert certificates() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("site", "add", "site-1"), "there already"),
        (("site", "remove", "site-1", "--yes"), "first site"),
        (("events", "--site", "nowhere"), "does not exist"),
        (("site", "add", "other", "--type", "windmill"), "windmill"),
    ],
)
def test_a_wrong_site_gets_one_line(
    fleet: RunningFleet, arguments: tuple[str, ...], words: str
) -> None:
    done = fleet.run(*arguments)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert words in line


def test_a_site_that_is_removed_leaves_nothing(fleet: RunningFleet) -> None:
    gone = "south"
    fleet.cli("site", "add", gone, "--turbines", "1", "--no-twin", timeout=300)
    assert f"gustbed-{gone}" in things(fleet)
    fleet.cli("site", "remove", gone, "--yes")
    assert gone not in sites(fleet)
    assert f"gustbed-{gone}" not in things(fleet)
    assert not (fleet.home / "sites" / gone).exists()
    project = f"{fleet.environment['COMPOSE_PROJECT_NAME']}-{gone}"
    for kind in ("container", "network", "volume"):
        assert not of_project(kind, project)


def of_project(kind: str, project: str) -> list[str]:
    """Ids of what Docker has of a Compose project; nothing without Docker."""
    chosen = ("--filter", f"label=com.docker.compose.project={project}", "--quiet")
    every = ("--all",) if kind == "container" else ()
    command = ["docker", kind, "ls", *every, *chosen]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return []
    return done.stdout.split()
