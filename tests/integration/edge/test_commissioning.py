"""A turbine is commissioned from the command line, on a real edge behind a real broker."""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gustbed_cli.record import Record, write_record
from gustbed_core import topics
from gustbed_core.commissioning.messages import DIFFERS, CommissionAck
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import SiteSettings
from tests.support.commissionable import Machine, commissionable
from tests.support.edge import Turbines
from tests.support.edge_process import EdgeProcess
from tests.support.listener import Listener
from tests.support.mosquitto import Broker, mosquitto
from tests.support.packages import SigningKey, sign_package, write_factory
from tests.support.paths import ROOT
from tests.support.ports import wait_until
from tests.support.small_disk import needs_mount, small_disk

SITE = SiteSettings(turbines=2)
FLEET = "aaaa1111"


class Farm(Turbines):
    """Machines in changing wind, that send as fast as they are asked to."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker.settings, SITE, SITE.turbine_ids, interval=0.02)
        self.machines = {"wt01": Machine(offset=5.0), "wt02": Machine()}
        self.values.clear()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            for turbine, machine in list(self.machines.items()):
                self.send(turbine, machine.values())


@dataclass
class Place:
    """A fleet's home with a broker and an edge process."""

    home: Path
    broker: Broker
    edge: EdgeProcess

    def gustbed(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the fleet's home."""
        ours = ("GUSTBED_", "AWS_", "COMPOSE_", "RUNTIME", "TARGET")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return subprocess.run(
            [str(ROOT / "gustbed"), "commission", *arguments],
            env={**kept, "GUSTBED_HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def status(self, turbine: str) -> Any:
        """A turbine's commissioning, as the command line says it."""
        done = self.gustbed("status", turbine, "--json")
        assert done.returncode == 0, done.stderr
        (info,) = json.loads(done.stdout)
        return info


@pytest.fixture
def variables() -> dict[str, str]:
    """Settings of the edge."""
    return {}


@pytest.fixture
def place(tmp_path: Path, variables: dict[str, str]) -> Iterator[Place]:
    with mosquitto(tmp_path, turbines=SITE.turbines) as broker:
        factory(tmp_path, "1.0.0", 100.0)
        edge = EdgeProcess(tmp_path, broker, GUSTBED_FLEET=FLEET, **variables)
        addresses: dict[str, int | str] = {
            "port_mqtt": broker.settings.port,
            "port_mqtt_tools": broker.settings.port_of("operator"),
            "port_edge": edge.port,
        }
        record = Record(
            runtime="process",
            target="local",
            site=SITE.site,
            turbines=SITE.turbines,
            addresses=addresses,
            fleet=FLEET,
        )
        write_record(tmp_path, record)
        yield Place(tmp_path, broker, edge)


def factory(folder: Path, version: str, centre: float) -> None:
    """Ship a model with the edge."""
    key = SigningKey("factory")
    signed = sign_package(commissionable(version, centre=centre), key, folder / "packages")
    write_factory(folder / "factory", signed, key)


@pytest.mark.promise("F3")
def test_a_period_is_started_accepted_survives_a_kill_and_is_undone(place: Place) -> None:
    with Farm(place.broker), Listener(place.broker) as listener:
        with place.edge.running() as process:
            wait_until(lambda: listener.verdicts("wt01"), "wt01 is judged")
            assert place.status("wt01")["state"]["basis"] == "prior"
            done = place.gustbed("start", "wt01", "--hours", "0.05")
            assert (done.returncode, done.stdout) == (
                0,
                "wt01: a normal period of 0.05 hours runs\n",
            ), done.stderr
            period = place.home / "edge" / "commissioning" / "wt01.period"
            wait_until(period.exists, "what was seen is on disk")
            process.kill()
            process.wait(30)
        with place.edge.running():
            wait_until(lambda: place.status("wt01")["state"]["ready"], "the period is whole")
            accepted = place.gustbed("accept", "--all")
            assert accepted.stdout == "wt01: judged by its own correction\n", accepted.stderr
            info = place.status("wt01")
            version = info["correction"]["version"]
            assert info["state"]["basis"] == "own"
            assert info["correction"]["shifts"]["voltage"] == pytest.approx(5.0, abs=0.5)
            wait_until(
                lambda: listener.verdicts("wt01")[-1].commissioning == version, "it is applied"
            )
            line = place.gustbed("status").stdout.splitlines()[0]
            assert line.startswith(f"wt01: its own correction {version}")
            assert "voltage by +5.0 usual errors" in line
            undone = place.gustbed("undo", "wt01")
            assert undone.returncode == 0, undone.stderr
            assert place.status("wt01")["correction"] is None
            again = place.gustbed("undo", "wt01")
            assert (again.returncode, again.stderr) == (
                1,
                "gustbed: wt01: no correction is at work: see `gustbed commission status`\n",
            )
        assert {v.state for v in listener.verdicts("wt01")} <= {"ok", "warming"}


def test_waiting_follows_a_fleet_and_a_new_model_starts_its_periods_anew(place: Place) -> None:
    with Farm(place.broker) as farm, Listener(place.broker) as listener:
        with place.edge.running():
            wait_until(lambda: listener.verdicts("wt02"), "the site is judged")
            done = place.gustbed("start", "--all", "--hours", "0.05", "--accept", "--wait")
            assert done.returncode == 0, done.stderr
            assert "a period runs on 2 turbines, the slowest at" in done.stderr
            assert [line.split(" c1.")[0] for line in done.stdout.splitlines()] == [
                "wt01: its own correction",
                "wt02: its own correction",
            ]
        factory(place.home, "1.1.0", 101.0)
        with place.edge.running():
            wait_until(
                lambda: (place.status("wt01")["correction"] or {}).get("model") == "tiny 1.1.0",
                "a correction of the new model is at work",
            )
            farm.machines["wt02"] = Machine(offset=70.0)
            wait_until(lambda: listener.events("wt02"), "an event opens")
            refused = place.gustbed("start", "wt02", "--hours", "0.05")
            assert refused.returncode == 1
            assert refused.stderr.startswith("gustbed: wt02: an event is open: voltage: ")


@pytest.mark.parametrize(
    "variables", [{"GUSTBED_EDGE_TRUST_AFTER": "1", "GUSTBED_EDGE_DOUBT_AFTER": "2"}]
)
def test_a_turbine_that_cries_wolf_is_judged_widely_again_and_a_faulty_one_is_not(
    place: Place,
) -> None:
    def basis(turbine: str) -> str:
        state = place.edge.turbine(turbine)["commissioning"] or {"basis": "", "differs": False}
        return "differs" if state["differs"] else str(state["basis"])

    with Farm(place.broker) as farm, Listener(place.broker) as listener:
        farm.machines = {name: Machine() for name in SITE.turbine_ids}
        with place.edge.running():
            wait_until(
                lambda: {basis(name) for name in SITE.turbine_ids} == {"factory"}, "both are calm"
            )
            farm.machines = {"wt01": Machine(offset=5.0), "wt02": Machine(offset=40.0)}
            wait_until(lambda: basis("wt01") == "differs", "trust in wt01 is lost")
            wait_until(
                lambda: (
                    [event.reason for event in listener.events("wt01") if event.closed] == [DIFFERS]
                ),
                "its event is closed with the reason",
            )
            assert place.gustbed("status", "wt01").stdout.startswith(f"wt01: {DIFFERS}")
        with place.edge.running():
            wait_until(lambda: place.edge.turbine("wt01")["state"] == "ok", "wt01 is judged again")
            wait_until(lambda: basis("wt01") == "differs", "it is not trusted again")
            assert basis("wt02") == "factory"
            assert place.edge.turbine("wt02")["violations"] == ["voltage"]
        assert [event.change for event in listener.events("wt02") if event.closed] == []


@needs_mount
def test_a_full_disk_is_said_with_the_answer_and_nothing_is_lost_that_was_kept(
    place: Place,
) -> None:
    with small_disk(place.home / "edge") as disk, Farm(place.broker):
        with place.edge.running():
            wait_until(lambda: place.edge.turbine("wt01")["state"] == "ok", "the site is judged")
            done = place.gustbed("start", "wt01", "--hours", "0.05", "--wait")
            assert done.returncode == 0, done.stderr
            disk.fill()
            accepted = place.gustbed("accept", "wt01")
            assert accepted.stdout == "wt01: judged by its own correction\n"
            assert "gustbed: wt01: done, and not on disk yet" in accepted.stderr
            assert place.status("wt01")["state"]["basis"] == "own"
        assert "the disk took the commissioning of wt01" in place.edge.log.read_text()
        disk.make_room()
        with place.edge.running():
            wait_until(lambda: place.status("wt01")["state"]["ready"], "it waits again")
            assert place.gustbed("accept", "wt01").stderr == ""


def test_two_shells_at_once_are_each_told_what_came_of_theirs(place: Place) -> None:
    with Farm(place.broker), place.edge.running():
        wait_until(lambda: place.edge.turbine("wt01")["state"] == "ok", "the site is judged")
        with ThreadPoolExecutor(2) as shells:
            start = "start", "wt01", "--hours", "0.05"
            both = list(shells.map(lambda _: place.gustbed(*start), range(2)))
            assert sorted(done.returncode for done in both) == [0, 1]
            (refused,) = (done for done in both if done.returncode)
            assert refused.stderr.startswith("gustbed: wt01: a period runs already: ")
            assert place.gustbed("cancel", "wt01").returncode == 0
            waiting = shells.submit(place.gustbed, *start, "--wait")
            wait_until(lambda: place.status("wt01")["state"]["running"] is not None, "it runs")
            assert place.gustbed("cancel", "wt01").returncode == 0
            ended = waiting.result(120)
        assert ended.returncode == 1
        assert "wt01: its period ended without a result" in ended.stderr


def test_only_the_operator_is_obeyed(place: Place) -> None:
    topic = topics.commission(SITE.site)
    with Listener(place.broker) as listener, place.edge.running():
        with Session(place.broker.settings, user="wt01", client_id="wt01-x") as turbine:
            turbine.wait_connected(30)
            turbine.publish(Message(topic, b'{"action": "start", "id": "turbine"}'))
            turbine.drain(30)
        done = place.gustbed("start", "wt01", "wt02", "--hours", "0.05")
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 2)
        acks = listener.of(topics.commission_ack(SITE.site), CommissionAck)
        assert [refusal.reason for ack in acks for refusal in ack.refused] == ["silent"] * 2
