"""Six turbines that differ by up to 10 %: quiet, and not blind, before and once commissioned."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.fleet import RunningFleet, running
from tests.support.ports import wait_until

SPEED = 5
"""Farm time over real time: a period of minutes in a fraction of them."""
EVENT_WITHIN = 30.0
QUIET_BLOCKS = 600
"""Five minutes of a turbine's time."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFleet]:
    with running(
        "process",
        tmp_path_factory.mktemp("differing"),
        GUSTBED_TWIN_VARIATION="0.1",
        GUSTBED_TWIN_SPEED=str(SPEED),
        GUSTBED_EDGE_TRUST_AFTER="60",
        GUSTBED_EDGE_PROVISIONAL_AFTER="150",
        # Farm time runs ahead of the edge's clock.
        GUSTBED_EDGE_MAX_CLOCK_AHEAD="1000000",
    ) as up:
        yield up


def judged_by(fleet: RunningFleet) -> dict[str, str]:
    """What each turbine is judged by."""
    found: list[Any] = fleet.json("commission", "status")
    return {each["turbine"]: (each["state"] or {}).get("basis", "") for each in found}


def open_event(fleet: RunningFleet, turbine: str) -> Any:
    """The one event that is open there, or None."""
    found = [e for e in fleet.events() if e["turbine"] == turbine and e["closed"] is None]
    return found[0] if found else None


@pytest.mark.promise("F1", "F2", "F3")
def test_machines_that_differ_are_quiet_once_commissioned_and_faults_are_found(
    fleet: RunningFleet,
) -> None:
    def all_ok() -> bool:
        return {each["state"] for each in fleet.turbines().values()} == {"ok"}

    wait_until(lambda: "prior" in judged_by(fleet).values(), "some do not fit their type", 60)
    assert "not commissioned" in fleet.cli("status")
    wait_until(all_ok, "all turbines are ok", 90)

    # Nobody has declared anything normal, and a weak generator is found nevertheless.
    wait_until(lambda: "provisional" in judged_by(fleet).values(), "they show what they are", 120)
    learnt = [name for name, basis in judged_by(fleet).items() if basis == "provisional"]
    fleet.cli("fault", "inject", learnt[0], "voltage", "--severity", "0.8")
    wait_until(lambda: open_event(fleet, learnt[0]), "the fault opens an event", EVENT_WITHIN)
    fleet.cli("fault", "clear", learnt[0])
    wait_until(lambda: open_event(fleet, learnt[0]) is None, "its event has closed", 60)

    # A fault is no normal period.
    fleet.cli("fault", "inject", "wt03", "vibration", "--severity", "1.0")
    wait_until(lambda: open_event(fleet, "wt03"), "a strong fault is found all the same", 60)
    refused = fleet.run("commission", "start", "wt03", "--hours", "0.05")
    assert refused.returncode == 1
    assert "wt03: an event is open: vibration" in refused.stderr
    fleet.cli("fault", "clear", "wt03")
    wait_until(lambda: open_event(fleet, "wt03") is None, "its event has closed", 60)

    fleet.cli("commission", "start", "--all", "--hours", "0.05", "--accept", "--wait")
    wait_until(lambda: set(judged_by(fleet).values()) == {"own"}, "all are commissioned", 30)
    before = {event["id"] for event in fleet.events()}
    seen = {name: each["blocks"] for name, each in fleet.turbines().items()}
    wait_until(
        lambda: all(
            each["blocks"] >= seen[name] + QUIET_BLOCKS for name, each in fleet.turbines().items()
        ),
        "five minutes of each turbine have passed",
        240,
    )
    assert [event for event in fleet.events() if event["id"] not in before] == []

    fleet.cli("fault", "inject", "wt05", "voltage", "--severity", "0.8")
    wait_until(lambda: open_event(fleet, "wt05"), "the fault opens an event", EVENT_WITHIN)
    new = [event for event in fleet.events() if event["id"] not in before]
    assert [(event["turbine"], event["kind"]) for event in new] == [("wt05", "voltage")]
