"""Losses of a connection: whose fault they were, and for how long that is told."""

import logging

import pytest

from gustbed_core.takeovers import SUSPICIOUS, WINDOW_SECONDS, Takeovers


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def suspects(takeovers: Takeovers) -> bool:
    return takeovers.disputed


def lose(takeovers: Takeovers, times: int) -> None:
    for _ in range(times):
        takeovers.lost()
        takeovers.served()


@pytest.mark.promise("S6")
def test_repeated_losses_are_told_once_and_forgiven_once_they_stop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    takeovers = Takeovers("edge", clock)
    takeovers.served()
    with caplog.at_level(logging.WARNING):
        lose(takeovers, SUSPICIOUS - 1)
        assert not suspects(takeovers)
        lose(takeovers, 3)
    assert suspects(takeovers)
    assert takeovers.total == SUSPICIOUS + 2
    assert len(caplog.records) == 1
    assert "another client uses the broker's user 'edge'" in caplog.text
    clock.now += WINDOW_SECONDS
    assert not suspects(takeovers)


def test_a_broker_that_restarts_is_not_taken_for_a_second_client() -> None:
    takeovers = Takeovers("edge", Clock())
    for _ in range(10):
        takeovers.lost()
        takeovers.unreachable()
        takeovers.served()
    assert takeovers.total == 0


def test_losses_far_apart_are_counted_and_not_suspected() -> None:
    clock = Clock()
    takeovers = Takeovers("edge", clock)
    for _ in range(10):
        lose(takeovers, 1)
        clock.now += WINDOW_SECONDS / (SUSPICIOUS - 1)
    assert takeovers.total == 10
    assert not suspects(takeovers)
