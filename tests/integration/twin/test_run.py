"""The twin as its process, on a real site broker with users and access control."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gustbed_core import legacy, topics
from gustbed_core.codec import encode
from gustbed_core.commands import Command
from gustbed_core.event_kinds import VIBRATION, VOLTAGE
from gustbed_core.mqtt import Session
from gustbed_core.telemetry import Samples
from gustbed_twin.wind.miniature import WindConfig
from tests.support.mosquitto import Broker, mosquitto
from tests.support.ports import wait_until
from tests.support.site_operator import SiteOperator, site_operator
from tests.unit.twin.miniatures import CHANNEL_INDEX, mini_farm

TURBINES = 3
SITE = "site-1"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with mosquitto(tmp_path_factory.mktemp("a site"), turbines=TURBINES) as running:
        yield running


@dataclass
class Twin:
    """A running ``python -m gustbed_twin run``."""

    process: subprocess.Popen[bytes]
    log: Path
    environment: dict[str, str]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def health(self) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "gustbed_twin", "health"]
        return subprocess.run(
            command, env=self.environment, capture_output=True, timeout=60, check=False
        )


@contextmanager
def twin(broker: Broker, folder: Path, **settings: str) -> Iterator[Twin]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GUSTBED_")},
        "GUSTBED_TURBINES": str(TURBINES),
        "GUSTBED_MQTT_PORT": str(broker.settings.port),
        "GUSTBED_TWIN_DATA_DIR": str(folder / "data"),
        **{f"GUSTBED_TWIN_{name.upper()}": value for name, value in settings.items()},
    }
    if broker.settings.credentials_dir is not None:
        environment["GUSTBED_MQTT_CREDENTIALS_DIR"] = str(broker.settings.credentials_dir)
    if broker.settings.tools_port is not None:
        environment["GUSTBED_MQTT_TOOLS_PORT"] = str(broker.settings.tools_port)
    log = folder / "twin.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "gustbed_twin", "run"],
            env=environment,
            stdout=stream,
            stderr=stream,
        )
    try:
        yield Twin(process, log, environment)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


def test_a_shard_tells_of_its_own_turbines_alone(broker: Broker, tmp_path: Path) -> None:
    with twin(broker, tmp_path, shard="2/2") as running:
        wait_until(lambda: running.health().returncode == 0, "the shard's heartbeat is fresh")
        said = running.health().stdout

    assert said.startswith(b"site-1: 2 turbines connected")
    log = running.log.read_text()
    assert "2 of 3 turbines (shard 2/2) of site-1" in log
    assert "all 2 turbines connected" in log


@pytest.mark.promise("T1")
def test_every_block_carries_turbine_boot_and_sequence(broker: Broker, tmp_path: Path) -> None:
    with site_operator(broker) as operator, twin(broker, tmp_path, seed="5"):
        heard = {name: operator.wait_blocks(name, 4) for name in broker.site.turbine_ids}
    live = mini_farm(5, range(TURBINES), WindConfig()).advance(40)
    for position, (name, blocks) in enumerate(heard.items()):
        assert [block.seq for block in blocks[:4]] == [0, 1, 2, 3]
        assert {block.turbine for block in blocks} == {name}
        assert len({block.boot for block in blocks}) == 1
        assert np.allclose(np.diff([block.t0 for block in blocks[:4]]), 0.5)
        values = np.concatenate([block.values for block in blocks[:4]], axis=1)
        assert np.array_equal(values, live[position])


def test_commands_start_and_stop_faults_and_are_answered(broker: Broker, tmp_path: Path) -> None:
    inject = Command("inject", VIBRATION, 1.0, id="one")
    with site_operator(broker) as operator, twin(broker, tmp_path) as running:
        operator.wait_blocks("wt02", 1)
        operator.command("wt02", encode(inject))
        assert operator.ack_of("one").accepted
        operator.command("wt02", encode(inject))
        operator.ack_of("one", count=2)
        _until(operator, "wt02", lambda spread: spread > 0.05)
        assert _spread(operator.blocks["wt01"][-1]) < 0.05
        for payload in (b"{", b"\x00\xff", b'{"action":"clear","kind":"fire","id":"two"}'):
            operator.command("wt02", payload)
        refused = operator.ack_of("two")
        assert not refused.accepted
        assert "kind" in refused.reason
        operator.command("wt02", encode(Command("clear", id="three")))
        assert operator.ack_of("three").accepted
        _until(operator, "wt02", lambda spread: spread < 0.05)
        assert running.log.read_text().count("inject vibration") == 1
        assert running.process.poll() is None


def _spread(block: Samples) -> float:
    return float(np.ptp(block.values[CHANNEL_INDEX["gy"]]))


def _until(operator: SiteOperator, turbine: str, condition: Callable[[float], bool]) -> None:
    wait_until(lambda: condition(_spread(operator.blocks[turbine][-1])), f"{turbine} changes")


@pytest.mark.promise("T7")
def test_birth_and_farewell_are_retained_and_a_killed_twin_leaves_its_will(
    broker: Broker, tmp_path: Path
) -> None:
    with site_operator(broker) as operator, twin(broker, tmp_path) as running:
        wait_until(lambda: operator.states[-1:] == ["online"], "the twin is online")
        assert running.stop() == 0
        wait_until(lambda: operator.states[-1:] == ["offline"], "the twin said farewell")
    with site_operator(broker) as late:
        wait_until(lambda: late.states == ["offline"], "the farewell is retained")
        with twin(broker, tmp_path) as running:
            wait_until(lambda: late.states[-1] == "online", "the twin is back")
            running.process.kill()
            wait_until(lambda: late.states[-1] == "offline", "its will is published")


def test_health_follows_the_process(broker: Broker, tmp_path: Path) -> None:
    with twin(broker, tmp_path) as running:
        wait_until(lambda: running.health().returncode == 0, "the twin is healthy")
        assert running.stop() == 0
        assert running.health().returncode == 1


@pytest.mark.promise("T4")
def test_between_blocks_of_ten_minutes_it_lives_and_answers(broker: Broker, tmp_path: Path) -> None:
    recording = tmp_path / "slow.csv"
    rows = "\n".join(",".join(["1.5"] * len(CHANNEL_INDEX)) for _ in range(9))
    recording.write_text(f"{','.join(CHANNEL_INDEX)}\n{rows}\n")
    slow = {"replay": str(recording), "replay_rate_hz": "0.0016667"}
    with site_operator(broker) as operator, twin(broker, tmp_path, **slow) as running:
        wait_until(lambda: running.health().returncode == 0, "the twin is healthy")
        operator.command("wt01", encode(Command("clear", id="slow")))
        assert operator.ack_of("slow").accepted
        assert not operator.blocks.get("wt01")


def test_a_broker_that_comes_back_gets_every_block(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder, turbines=TURBINES) as first:
        port = first.settings.port
        with twin(first, tmp_path):
            with site_operator(first) as operator:
                boot = operator.wait_blocks("wt01", 2)[0].boot
                first.process.kill()
                first.process.wait(30)
                last = operator.blocks["wt01"][-1].seq
            with (
                mosquitto(folder, turbines=TURBINES, port=port) as second,
                site_operator(second) as operator,
            ):
                operator.wait_blocks("wt01", 3)
                wait_until(lambda: operator.blocks["wt01"][-1].seq > last + 4, "blocks go on")
                sequences = [block.seq for block in operator.blocks["wt01"]]
                assert {block.boot for block in operator.blocks["wt01"]} == {boot}
                # What was on its way may come twice; from the first one on, nothing is missing.
                assert set(range(min(sequences), max(sequences) + 1)) <= set(sequences)


def test_sigterm_stops_the_twin_cleanly_while_the_broker_is_away(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder, turbines=TURBINES) as site, twin(site, tmp_path) as running:
        with site_operator(site) as operator:
            operator.wait_blocks("wt01", 1)
        site.process.kill()
        site.process.wait(30)
        wait_until(lambda: "site broker lost" in running.log.read_text(), "the twin noticed")
        assert running.stop() == 0
        assert "Traceback" not in running.log.read_text()


def test_messagepack_by_configuration(broker: Broker, tmp_path: Path) -> None:
    with site_operator(broker) as operator, twin(broker, tmp_path, encoding="msgpack"):
        operator.wait_blocks("wt03", 2)
    assert all(payload[:1] != b"{" for payload in operator.payloads)
    assert msgspec.msgpack.decode(operator.payloads[0])["schema"] == 1


@pytest.mark.promise("P3")
def test_a_turbine_also_speaks_the_legacy_record(broker: Broker, tmp_path: Path) -> None:
    records: list[bytes] = []
    edge = Session(
        broker.settings,
        user="edge",
        client_id="legacy-listener",
        subscriptions={topics.LEGACY_RAW: lambda _t, payload: records.append(payload)},
    )
    settings = {"legacy": "wt02", "legacy_rate_hz": "10", "seed": "5"}
    with edge:
        edge.wait_connected(30)
        with twin(broker, tmp_path, **settings):
            wait_until(lambda: len(records) >= 15, "legacy records")
    live = mini_farm(5, range(TURBINES), WindConfig()).advance(30)[1]
    for number, record in enumerate(records[:15]):
        millis, sample = legacy.parse_record(record.decode("ascii"))
        assert millis == 100 * number
        assert np.abs(sample - live[:, 2 * number]).max() <= 0.005 + 1e-9


def test_a_recording_is_replayed_and_ends_where_told(broker: Broker, tmp_path: Path) -> None:
    values = mini_farm(8, [0], WindConfig()).advance(60)[0]
    lines = [
        legacy.format_record(50 * i, 700, legacy.sample_as_mapping(row))
        for i, row in enumerate(values.T)
    ]
    recording = tmp_path / "a recording.csv"
    recording.write_text("\n".join(lines))
    settings = {"replay": str(recording), "replay_loop": "false"}
    with site_operator(broker) as operator, twin(broker, tmp_path, **settings) as running:
        operator.wait_blocks("wt01", 2)
        operator.command("wt01", encode(Command("inject", VOLTAGE, id="r")))
        assert operator.ack_of("r").accepted
        assert running.process.wait(30) == 0
        wait_until(lambda: operator.states[-1:] == ["offline"], "the twin said farewell")
    blocks = operator.blocks["wt01"]
    # Each turbine plays all of it, once; the second starts a third of the way in.
    assert np.abs(blocks[0].values - values[:, :10]).max() <= 0.005 + 1e-9
    assert np.abs(operator.blocks["wt02"][0].values - values[:, 20:30]).max() <= 0.005 + 1e-9
    assert sum(len(each) for each in operator.blocks.values()) == TURBINES * 6
    # A signal that begins anew is a new boot.
    assert [block.seq for block in operator.blocks["wt02"]] == [0, 1, 2, 3, 0, 1]
    assert len({block.boot for block in operator.blocks["wt02"]}) == 2


def test_a_bad_recording_stops_the_twin_with_one_line(broker: Broker, tmp_path: Path) -> None:
    recording = tmp_path / "bad.csv"
    recording.write_text("1,2,3\n")
    with twin(broker, tmp_path, replay=str(recording)) as running:
        assert running.process.wait(30) == 1
    assert "gustbed-twin: " in running.log.read_text()
    assert "bad.csv: line 1" in running.log.read_text()
    assert running.log.read_text().count("\n") == 1


def test_a_missing_password_file_is_named(broker: Broker, tmp_path: Path) -> None:
    with twin(broker, tmp_path) as running:
        pass
    environment = {**running.environment, "GUSTBED_MQTT_CREDENTIALS_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "gustbed_twin", "run"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "wt01.password" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_development_broker_needs_no_passwords(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    with (
        mosquitto(folder, anonymous=True, turbines=TURBINES) as site,
        site_operator(site) as operator,
        twin(site, tmp_path),
    ):
        operator.wait_blocks("wt01", 2)
