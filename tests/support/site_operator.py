"""An operator of a site: hears all that its turbines and services say, and sends commands."""

import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from gustbed_core import topics
from gustbed_core.codec import decoder, encode
from gustbed_core.commands import Ack, decode_ack
from gustbed_core.events import ServiceState
from gustbed_core.mqtt import Message, Session
from gustbed_core.telemetry import Samples, decode_block
from gustbed_core.turbine_state import Reported, Truth, decode_reported, decode_truth
from tests.support.mosquitto import Broker
from tests.support.ports import wait_until

_decode_state = decoder(ServiceState)


@dataclass
class SiteOperator:
    """Everything that an operator hears of a site's turbines and services."""

    site: str
    session: Session
    blocks: dict[str, list[Samples]] = field(default_factory=lambda: defaultdict(list))
    payloads: list[bytes] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    reports: list[Reported] = field(default_factory=list)
    truths: list[Truth] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def receive(self, topic: str, payload: bytes) -> None:
        kind = topics.parse(topic).kind
        with self.lock:
            if kind == "telemetry":
                samples = decode_block(payload)
                self.blocks[samples.turbine].append(samples)
                self.payloads.append(payload)
            elif kind == "command/ack":
                self.acks.append(decode_ack(payload))
            elif kind == "state":
                self.states.append(_decode_state(payload).state)
            elif kind == "reported":
                self.reports.append(decode_reported(payload))
            elif kind == "truth":
                self.truths.append(decode_truth(payload))

    def publish(self, topic: str, value: object) -> None:
        self.session.publish(Message(topic, encode(value)))

    def command(self, turbine: str, payload: bytes) -> None:
        self.session.publish(Message(topics.command(self.site, turbine), payload))

    def ack_of(self, command_id: str, count: int = 1) -> Ack:
        def found() -> list[Ack]:
            with self.lock:
                return [ack for ack in self.acks if ack.id == command_id]

        wait_until(lambda: len(found()) >= count, f"{count} acks of {command_id}")
        return found()[-1]

    def wait_blocks(self, turbine: str, count: int) -> list[Samples]:
        wait_until(lambda: len(self.blocks[turbine]) >= count, f"{count} blocks of {turbine}")
        return self.blocks[turbine]


@contextmanager
def site_operator(broker: Broker) -> Iterator[SiteOperator]:
    """Listen to everything of the broker's site until the block ends."""
    site = broker.site.site
    operators: list[SiteOperator] = []
    session = Session(
        broker.settings,
        user="operator",
        client_id=f"operator-{os.getpid()}",
        subscriptions={f"{topics.ROOT}/{site}/#": lambda t, p: operators[0].receive(t, p)},
    )
    operators.append(SiteOperator(site, session))
    with session:
        session.wait_connected(30)
        yield operators[0]
