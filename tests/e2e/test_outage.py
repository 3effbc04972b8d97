"""What a cut cloud link and foul messages do to a fleet: nothing that is not counted."""

import json
import os
import signal
import time

import pytest

from gustbed_core import topics
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import MqttSettings
from tests.support.fleet import RunningFleet, logged, pid_of, scored
from tests.support.ports import wait_until

OUTAGE_BLOCKS = 60
"""Half a minute: longer than the cloud connection's keep-alive needs to notice."""


def logged_verdicts(fleet: RunningFleet, turbine: str) -> set[tuple[str, int]]:
    """Identities (boot, seq) of a turbine's verdicts in CloudWatch Logs."""
    found = logged(fleet, "verdicts")
    return {(v["boot"], v["seq"]) for v in found if v["turbine"] == turbine}


@pytest.mark.promise("T2")
def test_an_outage_of_the_cloud_link_loses_no_verdict_and_no_event(
    own_fleet: RunningFleet,
) -> None:
    wait_until(lambda: scored(own_fleet), "all turbines are ok", 60)
    wait_until(lambda: own_fleet.edge()["connected"], "the edge is connected", 60)
    known = {event["id"] for event in own_fleet.events()}
    emulator = pid_of(own_fleet, "emulator")
    os.kill(emulator, signal.SIGSTOP)
    try:
        first = own_fleet.turbines()["wt01"]["blocks"]
        own_fleet.cli("fault", "inject", "wt04", "voltage", "--severity", "0.9")
        wait_until(
            lambda: own_fleet.turbines()["wt01"]["blocks"] >= first + OUTAGE_BLOCKS,
            "the site goes on without the cloud",
            60,
        )
        (event,) = (e for e in own_fleet.events() if e["id"] not in known)
        own_fleet.cli("fault", "clear", "wt04")
    finally:
        os.kill(emulator, signal.SIGCONT)
    wait_until(lambda: own_fleet.edge()["connected"], "the edge reconnects", 90)
    wait_until(lambda: own_fleet.edge()["buffered"] <= 2, "the buffer drains", 60)

    def holes() -> list[int]:
        verdicts = logged_verdicts(own_fleet, "wt01")
        boots = {boot for boot, _ in verdicts}
        newest = max(boots, key=lambda boot: sum(b == boot for b, _ in verdicts))
        seqs = sorted(seq for boot, seq in verdicts if boot == newest)
        return [seq for seq in range(seqs[0], seqs[-1]) if seq not in set(seqs)]

    wait_until(lambda: not holes(), "every verdict of the outage reached the logs", 60)
    wait_until(
        lambda: event["id"] in {row["id"] for row in logged(own_fleet, "events")},
        "the event reached the logs",
        60,
    )


@pytest.mark.promise("T5")
def test_foul_payloads_are_counted_and_the_others_go_on(own_fleet: RunningFleet) -> None:
    wait_until(lambda: scored(own_fleet), "all turbines are ok", 60)
    before = own_fleet.edge()["rejected"]
    port = int(own_fleet.environment["GUSTBED_PORT_MQTT"])
    broker = MqttSettings(port=port, credentials_dir=own_fleet.home / "credentials")
    topic = topics.telemetry("site-1", "wt06")
    good = {"schema": 1, "turbine": "wt06", "boot": "x", "seq": 0, "t0": time.time(), "dt": 0.05}
    foul = {
        "malformed": b"{not json",
        "non_finite": b'{"schema": NaN}',
        "wrong_fields": json.dumps({**good, "columns": {}}).encode(),
        "wrong_schema": json.dumps({**good, "schema": 99, "columns": {}}).encode(),
        "oversized": b"{" + b" " * 10_000_000 + b"}",
    }
    with Session(broker, user="wt06", client_id="foul-wt06") as session:
        session.wait_connected(30)
        for payload in foul.values():
            session.publish(Message(topic, payload))

        def counted() -> bool:
            now = own_fleet.edge()["rejected"]
            return all(now.get(reason, 0) > before.get(reason, 0) for reason in foul)

        wait_until(counted, f"each of {', '.join(foul)} is counted", 30)
    wait_until(lambda: scored(own_fleet), "every turbine is still scored", 30)
