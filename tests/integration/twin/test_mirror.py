"""A mirror on a real site broker, beside a twin that runs as its process."""

import threading
from pathlib import Path

import pytest

from gustbed_core import topics
from gustbed_core.codec import decoder, encode
from gustbed_core.commands import Command
from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import ROTATION
from gustbed_core.events import AnomalyEvent
from gustbed_core.mirror import Mirrored
from gustbed_core.mqtt import Session
from gustbed_core.settings import SiteSettings
from gustbed_twin.mirror.service import MirrorRequest, Said, serve
from tests.integration.twin.test_run import TURBINES, twin
from tests.support.mosquitto import Broker, mosquitto
from tests.support.ports import wait_until
from tests.support.site_operator import site_operator
from tests.unit.twin.miniatures import mini_farm
from tests.unit.twin.test_mirror import fitted

SEED, SPEED = 3, "40"
SITE = "site-1"


def test_a_slight_fault_on_a_live_turbine_opens_an_event_that_the_site_hears(
    tmp_path: Path,
) -> None:
    own = mini_farm(SEED, [1]).traits
    kind = fitted(own.efficiency[0], own.generator[0])
    minutes, events = list[Mirrored](), list[AnomalyEvent]()
    read_minute, read_event = decoder(Mirrored), decoder(AnomalyEvent)
    said, stop = list[Said](), threading.Event()
    with mosquitto(tmp_path, turbines=TURBINES) as broker:
        site = SiteSettings(turbines=TURBINES)
        request = MirrorRequest("wt02", kind)
        serving = threading.Thread(
            target=serve, args=(request, site, broker.settings, stop, said.append)
        )
        ears = Session(
            broker.settings,
            user="operator",
            subscriptions={
                topics.every("mirror"): lambda _topic, payload: minutes.append(
                    read_minute(payload)
                ),
                topics.every("mirror/event"): lambda _topic, payload: events.append(
                    read_event(payload)
                ),
            },
        )
        with (
            ears,
            site_operator(broker) as operator,
            twin(broker, tmp_path, seed=str(SEED), speed=SPEED),
        ):
            serving.start()
            try:
                wait_until(lambda: len(minutes) >= 4, "four minutes of a sound turbine")
                assert events == []
                slight = Command("inject", ROTATION, 0.03, id="slight")
                operator.command("wt02", encode(slight))
                assert operator.ack_of("slight").accepted
                wait_until(lambda: events, "an event")
            finally:
                stop.set()
                serving.join(30)
    assert not serving.is_alive()
    [opened, *_] = events
    assert (opened.change, opened.kind, opened.turbine) == ("opened", ROTATION, "wt02")
    assert opened.site == SITE
    assert opened.model.name == "mirror-mini"
    assert {each.turbine for each in minutes} == {"wt02"}
    assert [each for each in said if isinstance(each, Mirrored)][: len(minutes)] == minutes


def test_a_turbine_that_is_not_there_is_named(tmp_path: Path) -> None:
    named = "turbine 'wt09' does not exist: use one of wt01"
    with mosquitto(tmp_path, turbines=TURBINES) as broker, pytest.raises(GustbedError, match=named):
        ask(broker, "wt09")


def ask(broker: Broker, turbine: str) -> None:
    request = MirrorRequest(turbine, fitted(1.0, 1.0))
    serve(request, SiteSettings(turbines=TURBINES), broker.settings, threading.Event(), print)
