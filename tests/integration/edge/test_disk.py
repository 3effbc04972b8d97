"""A full or read-only disk: the site is told of faults all the same, and health says why."""

import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gustbed_core.settings import SiteSettings
from tests.support.edge import RunningEdge, Turbines, running_edge
from tests.support.listener import Listener
from tests.support.mosquitto import Broker
from tests.support.packages import calm, excited
from tests.support.ports import wait_until
from tests.support.small_disk import SmallDisk, needs_mount, read_only, small_disk

SITE = SiteSettings(turbines=2)
OPTIONS = {"capture_interval": 0.0}
"""What captures take of the day is a file of its own, with a reason of its own."""
pytestmark = needs_mount


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "edge") as mounted:
        yield mounted


@pytest.fixture
def turbines(broker: Broker) -> Iterator[Turbines]:
    with Turbines(broker.settings, SITE, ("wt01", "wt02")) as running:
        yield running


def health(edge: RunningEdge) -> tuple[int, list[str]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{edge.edge.http_port}/health") as answer:
            return answer.status, json.loads(answer.read())["reasons"]
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["reasons"]


def counters(edge: RunningEdge) -> list[float]:
    lines = [line for line in edge.get("/metrics").splitlines() if not line.startswith("#")]
    return [float(line.rsplit(" ", 1)[1]) for line in lines]


def told(listener: Listener, edge: RunningEdge) -> list[Any]:
    known = {event["id"] for event in edge.events()}
    return [event for event in listener.events("wt01") if event.id in known]


def ok(edge: RunningEdge) -> bool:
    return all(each["state"] == "ok" for each in edge.get("/status")["turbines"])


@pytest.mark.promise("T8", "T3")
def test_alerts_do_not_wait_for_a_full_disk_and_nothing_is_lost_when_there_is_room_again(
    broker: Broker, listener: Listener, turbines: Turbines, disk: SmallDisk, tmp_path: Path
) -> None:
    with running_edge(tmp_path, broker.settings, SITE, **OPTIONS, uplink="full") as edge:
        wait_until(lambda: ok(edge), "both are scored")
        assert health(edge) == (200, [])
        disk.fill()
        turbines.values["wt01"] = excited()
        wait_until(lambda: told(listener, edge), "the site is told of the event")
        wait_until(lambda: health(edge)[0] == 503, "health knows of it")
        (reason,) = health(edge)[1]
        assert str(disk.folder / "edge.sqlite") in reason
        assert "full" in reason
        assert "make room" in reason
        turbines.values["wt01"] = calm()
        wait_until(lambda: len(told(listener, edge)) == 2, "and of its end")
        assert min(counters(edge)) >= 0
        status = edge.get("/status")
        assert (status["buffered"] >= 0, status["uplink"]["full"]) == (True, ["wt01", "wt02"])
        disk.make_room()
        wait_until(lambda: health(edge) == (200, []), "it recovers by itself")
    with running_edge(tmp_path, broker.settings, SITE, **OPTIONS, uplink="full") as edge:
        (event,) = edge.events()
        assert (event["turbine"], event["change"]) == ("wt01", "closed"), "it is on disk"
    published = {verdict.seq for verdict in listener.verdicts("wt02", turbines.boot)}
    recorded = recorded_verdicts(tmp_path, "wt02")
    assert published == recorded, "no verdict was lost while the disk was full"


def recorded_verdicts(folder: Path, turbine: str) -> set[int]:
    """Numbers of a turbine's blocks whose verdicts wait for the cloud."""
    with sqlite3.connect(folder / "edge" / "edge.sqlite") as db:
        rows = db.execute("SELECT body FROM outbox WHERE kind = 'verdicts'").fetchall()
    db.close()
    verdicts = [each for (body,) in rows for each in json.loads(b"[" + body + b"]")]
    return {verdict["seq"] for verdict in verdicts if verdict["turbine"] == turbine}


@contextmanager
def broken(disk: SmallDisk, fault: str) -> Iterator[None]:
    """The disk as it should not be."""
    if fault == "full":
        disk.fill()
        yield
        disk.make_room()
    else:
        with read_only(disk.folder):
            yield


@pytest.mark.promise("T8", "T4")
@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_an_edge_that_starts_on_a_bad_disk_serves_the_site_and_moves_there_later(
    broker: Broker,
    listener: Listener,
    turbines: Turbines,
    disk: SmallDisk,
    tmp_path: Path,
    fault: str,
) -> None:
    with running_edge(tmp_path, broker.settings, SITE, **OPTIONS) as edge:
        turbines.values["wt02"] = excited()
        wait_until(lambda: edge.events(), "an event opens")
    with ExitStack() as stack:
        with broken(disk, fault):
            edge = stack.enter_context(running_edge(tmp_path, broker.settings, SITE, **OPTIONS))
            turbines.values["wt01"] = excited()
            wait_until(lambda: told(listener, edge), "the site is told of another event")
            status, reasons = health(edge)
            assert (status, len(reasons)) == (503, 1)
            assert str(disk.folder / "edge.sqlite") in reasons[0]
            assert {"full": "make room", "read-only": "writable"}[fault] in reasons[0]
            assert min(counters(edge)) >= 0
        wait_until(lambda: health(edge) == (200, []), "it takes the disk up by itself")
        turbines.values["wt02"] = calm()
        wait_until(lambda: any(event["closed"] for event in edge.events()), "the first one closes")
    with running_edge(tmp_path, broker.settings, SITE, **OPTIONS) as edge:
        kept = {event["turbine"]: event["change"] for event in edge.events()}
    assert kept == {"wt01": "opened", "wt02": "closed"}, "both are on disk, the first one once"
