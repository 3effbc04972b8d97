"""A scripted site: speaks as twin and edge through the real protocol and a real broker.

By hand: ``python -m tests.browser.scripted_site --port 1883 --turbines 6 --utility 3
--shadow nrel_5mw=2.2.0 --violate wt03=vibration``.
"""

import argparse
import random
import signal
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from uuid import uuid4

from gustbed_core import event_kinds, topics
from gustbed_core.codec import encode
from gustbed_core.commands import Ack, decode_command
from gustbed_core.commissioning.messages import (
    CommissionAck,
    CommissionCommand,
    CommissioningState,
    Refusal,
    decode_commission,
)
from gustbed_core.event_kinds import EventKind
from gustbed_core.events import (
    AnomalyEvent,
    Comparison,
    Heartbeat,
    ModelRef,
    ServiceState,
    TurbineStatus,
    Verdict,
    VerdictState,
)
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import MqttSettings
from gustbed_core.telemetry import Samples, block_from_samples
from tests.browser import scripted_turbines
from tests.browser.scripted_turbines import DT, MINI, SAMPLES, UTILITY

INTERVAL = 0.5
MODEL = ModelRef("windturbine", "1.0.0")
MODELS: dict[str, ModelRef] = {MINI: MODEL, UTILITY: ModelRef("nrel-5mw", "2.1.0")}


class ScriptedSite:
    """Publishes telemetry, verdicts, heartbeats and events until left; use as a context manager.

    ``violations`` may be changed at any time; an injected fault changes it as the twin and the
    edge together would. ``refuse`` makes every command be refused with that reason. ``types``
    names turbines that are no miniature; a model put into ``shadow_models`` runs in shadow,
    and a type put into ``without_model`` is not judged. ``commissioning`` is how turbines stand;
    ``asked`` is what was asked of the edge about it.
    """

    def __init__(
        self,
        port: int,
        turbines: Iterable[str],
        site: str = "site-1",
        types: Mapping[str, str] | None = None,
    ) -> None:
        self.site = site
        self.turbines = list(turbines)
        self.types = dict.fromkeys(self.turbines, MINI) | dict(types or {})
        self.shadow_models: dict[str, Comparison] = {}
        self.without_model: set[str] = set()
        self.violations: dict[str, set[EventKind]] = {name: set() for name in self.turbines}
        self.refuse = ""
        self.cloud_connected = True
        self.commissioning: dict[str, CommissioningState] = {}
        self.asked: list[CommissionCommand] = []
        self.commands: list[tuple[str, object]] = []
        self._boot = str(uuid4())
        self._seq = 0
        self._open: dict[tuple[str, EventKind], AnomalyEvent] = {}
        self._random = random.Random(7)  # noqa: S311
        self._stopping = threading.Event()
        settings = MqttSettings(host="127.0.0.1", port=port)
        self._session = Session(
            settings,
            user="scripted-site",
            client_id=f"scripted-site-{uuid4().hex[:8]}",
            subscriptions={
                topics.every("command", site): self._on_command,
                topics.commission(site): self._on_commission,
            },
            will=Message(topics.state(site, "edge"), self._state("edge", "offline"), retain=True),
            births=lambda: [
                Message(topics.state(site, name), self._state(name, "online"), retain=True)
                for name in ("twin", "edge")
            ],
        )
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "ScriptedSite":
        self._session.start()
        self._session.wait_connected(30)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(timeout=30)
        # The next site on this broker is not to inherit what is open here.
        for event in self._open.values():
            closed = replace(event, closed=time.time(), change="closed")
            self._publish(topics.event(self.site, event.turbine), closed)
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

    def _on_commission(self, _topic: str, payload: bytes) -> None:
        command = decode_commission(payload)
        self.asked.append(command)
        refused = [
            Refusal(turbine, "open_event", self.refuse, "mend it")
            for turbine in command.turbines
            if self.refuse
        ]
        for turbine in command.turbines:
            if not self.refuse:
                self.commissioning[turbine] = CommissioningState(running=0.42)
        done = [] if self.refuse else command.turbines
        ack = CommissionAck(command.id, done, refused)
        self._session.publish(Message(topics.commission_ack(self.site), encode(ack)))

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL):
            now = time.time()
            statuses = [self._turbine(i, name, now) for i, name in enumerate(self.turbines)]
            if self._seq % 2 == 0:
                kinds = sorted(set(self.types.values()) - self.without_model)
                beat = Heartbeat(
                    self.site,
                    f"gustbed-{self.site}",
                    now,
                    self.cloud_connected,
                    MODELS[kinds[0]] if kinds else None,
                    statuses,
                    models={kind: MODELS[kind] for kind in kinds},
                    shadow_models=dict(self.shadow_models),
                )
                self._session.publish(
                    Message(topics.heartbeat(self.site), encode(beat), retain=True)
                )
            self._seq += 1

    def _turbine(self, index: int, name: str, now: float) -> TurbineStatus:
        kind, kinds = self.types[name], set(self.violations[name])
        measure = scripted_turbines.miniature if kind == MINI else scripted_turbines.utility
        values = measure(index, now, kinds, self._random)
        start = now - DT * (SAMPLES - 1)
        samples = Samples(
            name, self._boot, self._seq, start, DT, values, kind, scripted_turbines.channels(kind)
        )
        self._publish(topics.telemetry(self.site, name), block_from_samples(samples))
        verdict = self._verdict(name, now, kinds, MODELS[kind])
        if kind in self.without_model:
            verdict = replace(
                verdict, state="unknown", score=None, ratios={}, violations=[], model=None
            )
        self._publish(topics.verdict(self.site, name), verdict)
        if kind in self.shadow_models:
            self._shadow(kind, name, now, verdict)
        self._events(name, kinds, verdict, now)
        return TurbineStatus(
            name,
            verdict.state,
            self._seq + 1,
            0,
            0,
            0,
            verdict.score,
            verdict.violations,
            kind,
            self.commissioning.get(name),
        )

    def _verdict(self, name: str, now: float, kinds: set[EventKind], model: ModelRef) -> Verdict:
        kind = self.types[name]
        ratios = {
            feature: self._random.uniform(0.2, 0.5) for feature in scripted_turbines.features(kind)
        }
        for violation in kinds:
            named = scripted_turbines.carriers(kind, violation)
            ratios |= {f: self._random.uniform(1.7, 2.6) for f in named}
        score = max(ratios.values())
        state: VerdictState = "anomaly" if kinds else "ok"
        found = sorted(kinds)
        return Verdict(name, self._boot, self._seq, now, state, score, ratios, found, model)

    def _shadow(self, kind: str, name: str, now: float, serving: Verdict) -> None:
        """The shadow model finds what the serving model finds, and a little more by chance."""
        counts = self.shadow_models[kind]
        kinds = set(serving.violations)
        if not kinds and self._random.random() < 0.02:
            kinds = {event_kinds.VIBRATION}
        verdict = self._verdict(name, now, kinds, counts.model)
        self._publish(topics.shadow_verdict(self.site, name), verdict)
        mine, other = serving.state == "anomaly", verdict.state == "anomaly"
        self.shadow_models[kind] = replace(
            counts,
            verdicts=counts.verdicts + 1,
            both=counts.both + (mine and other),
            neither=counts.neither + (not mine and not other),
            only_serving=counts.only_serving + (mine and not other),
            only_shadow=counts.only_shadow + (other and not mine),
        )

    def _events(self, name: str, kinds: set[EventKind], verdict: Verdict, now: float) -> None:
        for kind in event_kinds.KNOWN:
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
                    verdict.score or 0.0,
                    MODELS[self.types[name]],
                    "opened",
                    list(scripted_turbines.carriers(self.types[name], kind)),
                )
                self._open[name, kind] = event
            elif kind not in kinds and event is not None:
                del self._open[name, kind]
                event = replace(event, closed=now, change="closed")
            else:
                continue
            self._publish(topics.event(self.site, name), event)

    def _publish(self, topic: str, message: object) -> None:
        self._session.publish(Message(topic, encode(message)))


def main() -> None:
    """Run until interrupted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--turbines", type=int, default=6)
    parser.add_argument("--utility", type=int, default=0, help="how many are no miniatures")
    parser.add_argument("--shadow", action="append", default=[], metavar="TYPE=VERSION")
    parser.add_argument("--violate", action="append", default=[], metavar="TURBINE=KIND")
    options = parser.parse_args()
    names = [f"wt{i + 1:02d}" for i in range(options.turbines)]
    types = dict.fromkeys(names[len(names) - options.utility :], UTILITY)
    with ScriptedSite(options.port, names, types=types) as scripted_site:
        for wish in options.shadow:
            kind, version = wish.split("=")
            scripted_site.shadow_models[kind] = Comparison(ModelRef(MODELS[kind].name, version))
        for wish in options.violate:
            turbine, kind = wish.split("=")
            scripted_site.violations[turbine].add(kind)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
