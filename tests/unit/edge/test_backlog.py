"""How far the cloud is behind is always known, and falling behind is told."""

from pathlib import Path

import pytest

from gustbed_edge.outbox.backlog import GROWTH_SECONDS, Backlog
from gustbed_edge.outbox.sender import Sender
from gustbed_edge.outbox.store import Fragment, Outbox


class Site:
    """A site that records so many bytes a second, and a link that carries so many."""

    def __init__(self, folder: Path, max_bytes: int = 10**8) -> None:
        self.now = 1000.0
        self.connected = True
        self.link_rate = 0
        self.outbox = Outbox(
            folder, max_bytes=max_bytes, max_rows=10**6, events_kept=1, clock=self.clock
        )
        self.sender = Sender(
            self.outbox,
            self,
            thing="t",
            site="s",
            verdict_interval=1.0,
            telemetry_interval=60.0,
            max_rate=1e9,
            monotonic=self.clock,
        )
        self.backlog = Backlog(self.outbox, self.sender, lambda: self.connected, self.clock)
        self.room = 0

    def clock(self) -> float:
        return self.now

    def publish(self, _topic: str, payload: bytes, _timeout: float) -> bool:
        self.room -= len(payload)
        return self.room >= 0

    def run(self, seconds: int, *, rate: int, link: int) -> None:
        for _ in range(seconds):
            self.outbox.record([Fragment("verdicts", b"x" * 1000) for _ in range(rate // 1000)])
            self.room = link
            self.sender.connected()
            self.sender.turn()
            self.backlog.rates()
            self.now += 1.0


@pytest.mark.promise("T10")
def test_a_backlog_that_grows_while_the_cloud_is_there_is_told_and_how_old_it_is(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    site.run(60, rate=20_000, link=1_000_000)
    assert (site.backlog.lag, site.backlog.grows()) == (0.0, False)
    into, out = site.backlog.rates()
    assert out == pytest.approx(into, rel=0.1)
    site.run(int(GROWTH_SECONDS) // 3, rate=20_000, link=0)
    assert not site.backlog.grows(), "not at once"
    site.run(int(GROWTH_SECONDS), rate=20_000, link=0)
    assert site.backlog.grows()
    assert site.backlog.lag == pytest.approx(GROWTH_SECONDS * 4 / 3, abs=5)
    assert site.outbox.bytes_by_kind["verdicts"] > 2_500_000
    site.run(int(GROWTH_SECONDS), rate=20_000, link=1_000_000)
    assert (site.backlog.lag, site.backlog.grows()) == (0.0, False)


def test_a_backlog_that_shrinks_or_a_cloud_that_is_away_is_no_such_fault(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.connected = False
    site.run(300, rate=5_000, link=0)
    assert not site.backlog.grows(), "that it is away is told elsewhere"
    assert site.backlog.lag == pytest.approx(300, abs=5)
    site.connected = True
    lags = []
    for _ in range(8):
        site.run(20, rate=5_000, link=110_000)
        lags.append(site.backlog.lag)
        assert not site.backlog.grows()
    assert lags == sorted(lags, reverse=True)


@pytest.mark.promise("T3")
def test_that_records_are_dropped_is_told_while_it_lasts(tmp_path: Path) -> None:
    site = Site(tmp_path, max_bytes=100_000)
    site.run(60, rate=5_000, link=0)
    assert site.backlog.drops()
    assert site.outbox.waiting_bytes <= 100_000
    site.run(int(GROWTH_SECONDS) + 10, rate=5_000, link=1_000_000)
    assert not site.backlog.drops()
