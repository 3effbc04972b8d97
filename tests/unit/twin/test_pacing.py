"""Blocks keep real time, and give up on time that is gone."""

from collections import Counter
from dataclasses import dataclass

import pytest

from gustbed_twin.publisher.pacing import MAX_CATCH_UP_S, SPREAD_S, Clocks, Pacer, phases


@dataclass
class Time:
    """Clocks that a test moves."""

    mono: float = 100.0
    wall: float = 1_000_000.0

    def pass_(self, seconds: float) -> None:
        self.mono += seconds
        self.wall += seconds

    def clocks(self) -> Clocks:
        return Clocks(lambda: self.mono, lambda: self.wall)


@pytest.fixture
def now() -> Time:
    return Time()


def test_a_block_is_due_when_its_last_sample_is_taken(now: Time) -> None:
    pacer = Pacer(0.5, now.clocks())
    assert pacer.wait() == pytest.approx(0.5)
    assert pacer.t0 == 1_000_000.0
    now.pass_(0.5)
    assert pacer.wait() == 0.0
    pacer.next()
    assert pacer.t0 == 1_000_000.5
    assert pacer.wait() == pytest.approx(0.5)


def test_a_short_delay_is_caught_up_without_a_gap(now: Time) -> None:
    pacer = Pacer(0.5, now.clocks())
    now.pass_(3.0)
    times = []
    while pacer.wait() == 0.0:
        assert pacer.settle() is None
        times.append(pacer.t0)
        pacer.next()
    assert times == [1_000_000.0 + 0.5 * i for i in range(6)]


def test_a_long_delay_is_not_made_up_for(now: Time) -> None:
    pacer = Pacer(0.5, now.clocks())
    now.pass_(MAX_CATCH_UP_S + 100)
    note = pacer.settle()
    assert note is not None
    assert "late" in note
    assert pacer.t0 == pytest.approx(now.wall - 0.5)
    assert pacer.wait() == 0.0
    pacer.next()
    assert pacer.wait() == pytest.approx(0.5)


@pytest.mark.parametrize("step", [-3600.0, 7.5])
def test_a_clock_that_was_set_is_followed(now: Time, step: float) -> None:
    pacer = Pacer(0.5, now.clocks())
    now.pass_(0.5)
    now.wall += step
    note = pacer.settle()
    assert note is not None
    assert "clock" in note
    assert pacer.t0 == pytest.approx(now.wall - 0.5)
    assert pacer.settle() is None


def test_a_slow_drift_is_left_alone(now: Time) -> None:
    pacer = Pacer(0.5, now.clocks())
    now.pass_(0.5)
    now.wall += 0.3
    assert pacer.settle() is None
    assert pacer.t0 == 1_000_000.0


def test_a_small_farm_sends_at_once_and_a_large_one_in_turns_within_its_interval() -> None:
    assert set(phases(99, 0.5)) == {0.0}
    turns = phases(1000, 0.5)
    assert turns == sorted(turns)
    assert (turns[0], turns[-1]) == (0.0, 0.475)
    assert set(Counter(turns).values()) == {50}
    assert max(phases(1000, 600.0)) < SPREAD_S
    assert max(phases(1000, 0.5, speed=0.01)) / 0.01 < SPREAD_S, (
        "it must go on showing that it lives"
    )


def test_a_phase_puts_a_block_off_and_one_that_is_late_does_not_wait(now: Time) -> None:
    pacer = Pacer(0.5, now.clocks())
    assert pacer.wait(0.2) == pytest.approx(0.7)
    now.pass_(0.6)
    assert pacer.wait() == 0.0
    assert pacer.wait(0.2) == pytest.approx(0.1)
    now.pass_(0.2)
    assert pacer.wait(0.2) == 0.0
