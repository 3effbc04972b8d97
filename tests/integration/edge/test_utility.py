"""A utility-scale turbine behind a real edge: counted, not scored; its state in AWS IoT."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import numpy as np
import pytest
from botocore.exceptions import ClientError

from gustbed_core import codec, topics
from gustbed_core.enrolment import request_path
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import SiteSettings
from gustbed_core.telemetry import Samples, block_from_samples
from gustbed_core.turbine_state import Desired, Reported, decode_desired
from gustbed_edge.ingest.quarantine import FILE
from tests.support.cloud import LocalCloud
from tests.support.edge import RunningEdge, Turbines, running_edge
from tests.support.mosquitto import Broker, mosquitto
from tests.support.ports import wait_until

SITE = SiteSettings(turbines=2)
UTILITY = "wt02"
NAMES = tuple(f"channel_{number}" for number in range(60))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A site broker without retained messages of tests before."""
    with mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def cloud(cloud: LocalCloud) -> LocalCloud:
    """The cloud, with no shadow of tests before."""
    with suppress(ClientError):
        boto3.client("iot-data").delete_thing_shadow(thingName=SITE.thing, shadowName=UTILITY)
    return cloud


class UtilityTurbine:
    """Sends blocks of another type, reports its state and hears what is desired."""

    def __init__(self, broker: Broker) -> None:
        self.heard: list[Desired] = []
        self.sent = 0
        self._boot = str(uuid4())
        self._start = time.time() - 1000
        self._session = Session(
            broker.settings,
            user=UTILITY,
            client_id=f"{UTILITY}-{uuid4()}",
            subscriptions={topics.desired(SITE.site, UTILITY): self._hear},
        )

    def __enter__(self) -> "UtilityTurbine":
        self._session.start()
        self._session.wait_connected(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._session.stop()

    def send(self, skip: int = 0) -> None:
        """Publish a block, after ``skip`` that are lost."""
        seq = self.sent + skip
        self.sent = seq + 1
        values = np.full((len(NAMES), 50), 1.25)
        t0 = self._start + seq
        samples = Samples(UTILITY, self._boot, seq, t0, 0.02, values, "nrel_5mw", NAMES)
        payload = codec.encode(block_from_samples(samples))
        self._session.publish(Message(topics.telemetry(SITE.site, UTILITY), payload, qos=1))

    def report(self, **changes: Any) -> None:
        """Publish the state, retained."""
        state: dict[str, Any] = {
            "mode": "production",
            "run": True,
            "trip": "none",
            "power_limit_kw": 0.0,
            "yaw_offset_deg": 0.0,
            "pitch_offset_deg": 0.0,
        }
        report = Reported(UTILITY, "nrel_5mw", **(state | changes))
        topic = topics.reported(SITE.site, UTILITY)
        self._session.publish(Message(topic, codec.encode(report), qos=1, retain=True))

    def _hear(self, _topic: str, payload: bytes) -> None:
        self.heard.append(decode_desired(payload))


@contextmanager
def enrolled_edge(folder: Path, broker: Broker, cloud: LocalCloud) -> Iterator[RunningEdge]:
    """An edge that is connected to the cloud."""
    enrol_dir = cloud.enrol_dir
    with running_edge(folder, broker.settings, SITE, enrol_dir=enrol_dir) as edge:
        wait_until(request_path(enrol_dir, SITE.thing).exists, "the edge asks")
        done = cloud.run("enrol", SITE.thing)
        assert done.returncode == 0, done.stderr
        wait_until(lambda: edge.get("/status")["connected"], "the edge connects")
        yield edge


def shadow() -> Any:
    """The turbine's named shadow, None if there is none."""
    try:
        answer = boto3.client("iot-data").get_thing_shadow(thingName=SITE.thing, shadowName=UTILITY)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return None
    return json.loads(answer["payload"].read())


def desire(**desired: Any) -> None:
    """What an operator in the cloud wants."""
    boto3.client("iot-data").update_thing_shadow(
        thingName=SITE.thing,
        shadowName=UTILITY,
        payload=json.dumps({"state": {"desired": desired}}),
    )


def reported(field: str) -> Any:
    """A field of what the shadow says the turbine reported."""
    return ((shadow() or {}).get("state", {}).get("reported") or {}).get(field)


def test_other_types_are_counted_and_not_scored_while_miniatures_are(
    tmp_path: Path, broker: Broker
) -> None:
    with (
        running_edge(tmp_path, broker.settings, SITE) as edge,
        Turbines(broker.settings, SITE, ("wt01",)),
        UtilityTurbine(broker) as utility,
    ):
        for _ in range(5):
            utility.send()
        utility.send(skip=3)
        wait_until(lambda: edge.turbine(UTILITY)["blocks"] == 6, "all blocks are counted")
        row = edge.turbine(UTILITY)
        assert (row["state"], row["lost"], row["score"]) == ("unknown", 3, None)
        wait_until(lambda: edge.turbine("wt01")["state"] == "ok", "wt01 is scored")
        assert edge.get("/status")["rejected"] == {}
        assert 'gustbed_edge_unscored_total{type="nrel_5mw"} 6' in edge.get("/metrics")
        assert edge.get("/health")["status"] == "ok"
    assert not (tmp_path / "edge" / FILE).exists()


def test_state_goes_up_to_the_named_shadow_and_what_is_desired_comes_down(
    tmp_path: Path, broker: Broker, cloud: LocalCloud
) -> None:
    with UtilityTurbine(broker) as utility:
        utility.report(version=1)
        with enrolled_edge(tmp_path, broker, cloud):
            wait_until(lambda: reported("mode") == "production", "the report before is there")
            utility.report(mode="stopping", version=2)
            wait_until(lambda: reported("mode") == "stopping", "a change goes up")
            desire(power_limit_kw=2000.0, run=True, version=7)
            wait_until(lambda: utility.heard, "the turbine hears of it")
            assert utility.heard[-1] == Desired(power_limit_kw=2000.0, version=7)
            utility.report(power_limit_kw=2000.0, version=7)
            wait_until(lambda: "delta" not in shadow()["state"], "both agree")
            heard = len(utility.heard)
            desire(power_limit_kw="all of it", yaw_offset_deg=[1], unknown={"a": 1})
            desire(power_limit_kw=1500.0, yaw_offset_deg=None)
            wait_until(lambda: len(utility.heard) > heard, "the next good one arrives")
            assert utility.heard[heard:] == [Desired(power_limit_kw=1500.0, version=7)]


def test_what_was_desired_while_the_edge_was_away_comes_down_later(
    tmp_path: Path, broker: Broker, cloud: LocalCloud
) -> None:
    with UtilityTurbine(broker) as utility:
        with enrolled_edge(tmp_path, broker, cloud):
            utility.report(mode="idle", version=8)
            wait_until(lambda: reported("mode") == "idle", "the edge has reported")
        desire(run=False, power_limit_kw=None, version=9)
        with enrolled_edge(tmp_path, broker, cloud):
            wait_until(
                lambda: Desired(run=False, version=9) in utility.heard, "the turbine hears of it"
            )


@contextmanager
def real_twin(folder: Path, broker: Broker) -> Iterator[None]:
    """The utility-scale twin as a process."""
    settings = broker.settings
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GUSTBED_")},
        "GUSTBED_MQTT_PORT": str(settings.port),
        "GUSTBED_MQTT_CREDENTIALS_DIR": str(settings.credentials_dir),
        "GUSTBED_SITE": SITE.site,
        "GUSTBED_TURBINES": str(SITE.turbines),
        "GUSTBED_TWIN_TYPE": "nrel_5mw",
        "GUSTBED_TWIN_DATA_DIR": str(folder / "twin"),
    }
    with (folder / "twin.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gustbed_twin", "run"], env=environment, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(30) == 0, (folder / "twin.log").read_text()


def heard(edge: RunningEdge, turbine: str) -> bool:
    return bool(edge.turbine(turbine)["blocks"] >= 2)


def test_a_power_limit_set_in_the_cloud_is_kept_and_reported_by_the_real_twin(
    tmp_path: Path, broker: Broker, cloud: LocalCloud
) -> None:
    with enrolled_edge(tmp_path, broker, cloud) as edge, real_twin(tmp_path, broker):
        for turbine in ("wt01", UTILITY):
            wait_until(partial(heard, edge, turbine), f"{turbine} is heard")
            assert edge.turbine(turbine)["state"] == "unknown"
        wait_until(lambda: reported("mode") not in (None, "idle"), "the twin's state is there")
        desire(run=True, power_limit_kw=2000, version=21)
        wait_until(lambda: reported("version") == 21, "the turbine has answered")
        wait_until(lambda: "delta" not in shadow()["state"], "both agree")
        assert reported("power_limit_kw") == 2000.0
        assert edge.turbine("wt01")["lost"] == 0
        assert edge.get("/status")["rejected"] == {}


@pytest.mark.promise("T2")
def test_what_changed_during_a_cloud_outage_goes_up_after_it(
    tmp_path: Path, broker: Broker, cloud: LocalCloud
) -> None:
    with enrolled_edge(tmp_path, broker, cloud) as edge, UtilityTurbine(broker) as utility:
        utility.report(mode="starting")
        wait_until(lambda: reported("mode") == "starting", "the first report is there")
        cloud.stop()
        wait_until(lambda: not edge.get("/status")["connected"], "the cloud is missed")
        for number in range(20):
            utility.report(mode="production", version=number)
        cloud.start_emulator()
        wait_until(lambda: reported("version") == 19, "the latest report goes up")
        sent = 'gustbed_edge_shadow_total{outcome="sent"} '
        (line,) = (each for each in edge.get("/metrics").splitlines() if each.startswith(sent))
        assert float(line.removeprefix(sent)) <= 4
