"""Blocks keep real time, and give up on time that is gone."""

from dataclasses import dataclass

import pytest

from gustbed_twin.publisher.pacing import MAX_CATCH_UP_S, Clocks, Pacer


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
