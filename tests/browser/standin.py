"""A scripted site: speaks as twin and edge through the real protocol and a real broker.

By hand: ``python tests/browser/standin.py --port 1883 --turbines 6 --violate wt03=vibration``.
"""

import argparse
import math
import random
import signal
import threading
import time
from collections.abc import Iterable
from uuid import uuid4

import numpy as np
from numpy.typing import ArrayLike

from gustbed_protocol import topics
from gustbed_protocol.channels import CHANNEL_INDEX, CHANNELS
from gustbed_protocol.codec import encode
from gustbed_protocol.commands import Ack, decode_command
from gustbed_protocol.events import (
    AnomalyEvent,
    Heartbeat,
    ModelRef,
    ServiceState,
    TurbineStatus,
    Verdict,
    VerdictState,
)
from gustbed_protocol.features import FEATURE_NAMES, FEATURES_OF
from gustbed_protocol.mqtt import Message, Session
from gustbed_protocol.settings import MqttSettings
from gustbed_protocol.telemetry import Samples, block_from_samples
from gustbed_protocol.violations import INJECTABLE, Violation

DT, SAMPLES, INTERVAL = 0.05, 10, 0.5
MODEL = ModelRef("turbine-autoencoder", "1.0.0")


class StandIn:
    """Publishes telemetry, verdicts, heartbeats and events until left; use as a context manager.

    ``violations`` may be changed at any time; an injected fault changes it as the twin and the
    edge together would. ``refuse`` makes every command be refused with that reason.
    """

    def __init__(self, port: int, turbines: Iterable[str], site: str = "site-1") -> None:
        self.site = site
        self.turbines = list(turbines)
        self.violations: dict[str, set[Violation]] = {name: set() for name in self.turbines}
        self.refuse = ""
        self.cloud_connected = True
        self.commands: list[tuple[str, object]] = []
        self._boot = str(uuid4())
        self._seq = 0
        self._open: dict[tuple[str, Violation], AnomalyEvent] = {}
        self._random = random.Random(7)  # noqa: S311
        self._stopping = threading.Event()
        settings = MqttSettings(host="127.0.0.1", port=port)
        self._session = Session(
            settings,
            user="standin",
            client_id=f"standin-{uuid4().hex[:8]}",
            subscriptions={topics.every("command", site): self._on_command},
            will=Message(topics.state(site, "edge"), self._state("edge", "offline"), retain=True),
            births=lambda: [
                Message(topics.state(site, name), self._state(name, "online"), retain=True)
                for name in ("twin", "edge")
            ],
        )
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "StandIn":
        self._session.start()
        self._session.wait_connected(10)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(timeout=5)
        self._session.stop(
            Message(topics.state(self.site, "edge"), self._state("edge", "offline"), retain=True)
        )

    def publish_raw(self, topic: str, payload: bytes) -> None:
        """Publish anything, for instance what nobody should."""
        self._session.publish(Message(topic, payload))

    def _state(self, service: str, state: str) -> bytes:
        return encode(ServiceState(service, state, time.time()))  # type: ignore[arg-type]

    def _on_command(self, topic: str, payload: bytes) -> None:
        turbine = topics.parse(topic).turbine
        command = decode_command(payload)
        self.commands.append((turbine, command))
        if not self.refuse:
            if command.action == "inject" and command.kind is not None:
                self.violations[turbine].add(command.kind)
            elif command.kind is None:
                self.violations[turbine].clear()
            else:
                self.violations[turbine].discard(command.kind)
        ack = Ack(command.id, turbine, not self.refuse, self.refuse)
        self._session.publish(Message(topics.command_ack(self.site, turbine), encode(ack)))

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL):
            now = time.time()
            statuses = [self._turbine(i, name, now) for i, name in enumerate(self.turbines)]
            if self._seq % 2 == 0:
                beat = Heartbeat(
                    self.site, f"gustbed-{self.site}", now, self.cloud_connected, MODEL, statuses
                )
                self._session.publish(
                    Message(topics.heartbeat(self.site), encode(beat), retain=True)
                )
            self._seq += 1

    def _turbine(self, index: int, name: str, now: float) -> TurbineStatus:
        kinds = set(self.violations[name])
        self._session.publish(
            Message(topics.telemetry(self.site, name), encode(self._block(index, name, now, kinds)))
        )
        ratios = {feature: self._random.uniform(0.2, 0.5) for feature in FEATURE_NAMES}
        for kind in kinds:
            ratios |= {f: self._random.uniform(1.7, 2.6) for f in FEATURES_OF[kind]}
        score = max(ratios.values())
        state: VerdictState = "anomaly" if kinds else "ok"
        ordered = sorted(kinds)
        verdict = Verdict(name, self._boot, self._seq, now, state, score, ratios, ordered, MODEL)
        self._session.publish(Message(topics.verdict(self.site, name), encode(verdict)))
        self._events(name, kinds, score, now)
        return TurbineStatus(name, state, self._seq + 1, 0, 0, 0, score, ordered)

    def _events(self, name: str, kinds: set[Violation], score: float, now: float) -> None:
        for kind in INJECTABLE:
            event = self._open.get((name, kind))
            if kind in kinds and event is None:
                event = AnomalyEvent(
                    str(uuid4()),
                    self.site,
                    f"gustbed-{self.site}",
                    name,
                    kind,
                    now,
                    None,
                    score,
                    MODEL,
                    "opened",
                )
                self._open[name, kind] = event
            elif kind not in kinds and event is not None:
                del self._open[name, kind]
                event = AnomalyEvent(
                    event.id,
                    event.site,
                    event.thing,
                    name,
                    kind,
                    event.opened,
                    now,
                    event.peak_score,
                    MODEL,
                    "closed",
                )
            else:
                continue
            self._session.publish(Message(topics.event(self.site, name), encode(event)))

    def _block(self, index: int, name: str, now: float, kinds: set[Violation]) -> object:
        t = now - DT * np.arange(SAMPLES - 1, -1, -1)
        phase = t / 17 + index * 1.3
        noise = np.array([[self._random.gauss(0, 1) for _ in t] for _ in range(8)])
        wind = 2.15 + 0.35 * np.sin(phase) + 0.2 * np.sin(3.1 * phase + index) + 0.05 * noise[0]
        rps = wind * 0.75 + 0.02 * noise[1]
        if Violation.ROTATION in kinds:
            rps = rps * 0.4
        voltage = rps * 30 + 0.8 * noise[2]
        if Violation.VOLTAGE in kinds:
            voltage = voltage * 0.4 + 9 * noise[3]
        shake = 0.12 if Violation.VIBRATION in kinds else 0.008
        roll, pitch, yaw = (shake * noise[4], shake * noise[5], 0.08 * np.sin(phase / 2))
        values = np.zeros((len(CHANNELS), SAMPLES))

        def put(channel: str, series: ArrayLike) -> None:
            values[CHANNEL_INDEX[channel]] = np.asarray(series)

        cr, sr, cp, sp = np.cos(roll / 2), np.sin(roll / 2), np.cos(pitch / 2), np.sin(pitch / 2)
        cy, sy = np.cos(yaw / 2), np.sin(yaw / 2)
        put("qw", cr * cp * cy + sr * sp * sy)
        put("qx", sr * cp * cy - cr * sp * sy)
        put("qy", cr * sp * cy + sr * cp * sy)
        put("qz", cr * cp * sy - sr * sp * cy)
        put("rps", np.maximum(rps, 0))
        put("wind_speed_rps", np.maximum(wind, 0))
        put("voltage", np.clip(voltage, 0, 1023))
        put("gz", 1.0)
        for axis, row in zip(("ax", "ay", "az"), noise[5:8], strict=True):
            put(axis, row * shake * 4000)
        put("gearboxtemp", 38 + 2 * math.sin(now / 60 + index))
        put("ambtemp", 17.5)
        put("humidity", 61.0)
        put("pressure", 1013.2)
        put("gas", 1.2)
        return block_from_samples(Samples(name, self._boot, self._seq, float(t[0]), DT, values))


def main() -> None:
    """Run until interrupted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--turbines", type=int, default=6)
    parser.add_argument("--violate", action="append", default=[], metavar="TURBINE=KIND")
    options = parser.parse_args()
    with StandIn(options.port, [f"wt{i + 1:02d}" for i in range(options.turbines)]) as standin:
        for wish in options.violate:
            turbine, kind = wish.split("=")
            standin.violations[turbine].add(Violation(kind))
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
