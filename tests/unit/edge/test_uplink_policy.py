"""What goes up is what says something new: how much, in which order, and all of it on request."""

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest

from gustbed_core import event_kinds
from gustbed_core.events import AnomalyEvent, ModelRef, Verdict
from gustbed_edge.outbox.policy import (
    AROUND,
    BURST,
    PER_MINUTE,
    UplinkPolicy,
    full_turbines,
)

MODEL = ModelRef("tiny", "1.0.0")
TURBINES = ("wt01", "wt02")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Stream:
    """Two verdicts a second of each turbine, and which of them went up."""

    def __init__(self, turbines: tuple[str, ...] = TURBINES, full: Iterable[str] = ()) -> None:
        self.clock = Clock()
        self.policy = UplinkPolicy(turbines, interval=60.0, full=full, monotonic=self.clock)
        self.turbines = turbines
        self.seq = 0
        self.sent: dict[str, list[int]] = {turbine: [] for turbine in turbines}

    def say(self, count: int, *events: AnomalyEvent, anomaly: str = "", model: str = "") -> None:
        for _ in range(count):
            said = [self.verdict(turbine, turbine == anomaly, model) for turbine in self.turbines]
            encoded = [f"{each.turbine}/{each.seq}".encode() for each in said]
            for item in self.policy.choose(said, encoded, events):
                turbine, seq = item.decode().split("/")
                self.sent[turbine].append(int(seq))
            events = ()
            self.seq += 1
            self.clock.now += 0.5

    def verdict(self, turbine: str, anomaly: bool, model: str) -> Verdict:
        said = Verdict(turbine, "b", self.seq, 6e5 + self.seq / 2, "ok", 0.5, {}, [], MODEL)
        if anomaly:
            said = replace(said, state="anomaly", violations=[event_kinds.VOLTAGE])
        return replace(said, model=ModelRef("tiny", model)) if model else said


def event(change: str) -> AnomalyEvent:
    return AnomalyEvent(
        "e",
        "s",
        "t",
        "wt01",
        event_kinds.VOLTAGE,
        1.0,
        None,
        2.0,
        MODEL,
        change,  # type: ignore[arg-type]
    )


@pytest.mark.promise("T10")
def test_a_turbine_that_says_nothing_new_has_one_verdict_a_minute_in_its_turn() -> None:
    stream = Stream()
    stream.say(600)
    first, second = stream.sent["wt01"], stream.sent["wt02"]
    assert first == [0, 120, 240, 360, 480]
    assert second == [0, 60, 180, 300, 420, 540], "not when the other one has its"


def test_a_change_brings_the_last_before_it_and_the_first_after_it() -> None:
    stream = Stream()
    stream.say(10)
    stream.say(5, anomaly="wt01")
    stream.say(5)
    stream.say(5, model="1.1.0")
    assert stream.sent == {"wt01": [0, 9, 10, 14, 15, 19, 20], "wt02": [0, 19, 20]}


def test_all_verdicts_around_an_events_opening_and_closing_go_up_in_order() -> None:
    stream = Stream()
    stream.say(30)
    stream.say(3, anomaly="wt01")
    stream.say(30, event("opened"), anomaly="wt01")
    stream.say(30, event("updated"), anomaly="wt01")
    stream.say(30, event("closed"))
    assert stream.sent["wt01"] == [
        0,
        29,
        *range(30, 33 + AROUND),
        *range(93 - AROUND, 93 + AROUND),
        120,
    ]
    assert stream.policy.held_back == 0


@pytest.mark.promise("T2")
def test_whatever_happens_each_verdict_goes_up_at_most_once_and_in_order() -> None:
    chance = random.Random(4)  # noqa: S311 - a test's dice
    stream = Stream()
    for _ in range(400):
        changes = [event("opened")] if chance.random() < 0.05 else []
        stream.say(chance.randrange(1, 9), *changes, anomaly=chance.choice(["", "wt01"]))
    for sent in stream.sent.values():
        assert sent == sorted(set(sent))


@pytest.mark.promise("T10")
def test_a_turbine_that_flaps_for_ever_does_not_fill_the_link() -> None:
    stream = Stream(("wt01",))
    minutes = 30
    for _ in range(minutes * 60):
        stream.say(1)
        stream.say(1, anomaly="wt01")
    assert len(stream.sent["wt01"]) <= BURST + minutes * PER_MINUTE
    assert len(stream.sent["wt01"]) + stream.policy.held_back == minutes * 120


def test_all_go_up_of_those_that_are_asked_for() -> None:
    stream = Stream(full=["wt02"])
    stream.say(50)
    assert stream.sent == {"wt01": [0], "wt02": list(range(50))}
    assert full_turbines("changes", TURBINES) == frozenset()
    assert full_turbines("full", TURBINES) == {"wt01", "wt02"}
    assert full_turbines(" wt02,", TURBINES) == {"wt02"}
    with pytest.raises(ValueError, match=r"'wt9' is none of wt01 … wt02"):
        full_turbines("wt01,wt9", TURBINES)
