"""The sender empties the outbox in order, keeps IoT Core's limits, and loses nothing."""

from pathlib import Path

import numpy as np
import pytest

from gustbed_core import codec
from gustbed_core.capture import CaptureBatch, unpack
from gustbed_core.events import EventBatch, LogBatch, TelemetryBatch, VerdictBatch
from gustbed_edge.capture.capturer import Stretch
from gustbed_edge.capture.writer import encoded
from gustbed_edge.outbox.sender import LONGEST_PAUSE_SECONDS, MESSAGE_BYTES, Sender
from gustbed_edge.outbox.store import Fragment, Outbox

LIMIT = 128 * 1024


class FakeLink:
    """A connection that remembers, and may fail."""

    def __init__(self) -> None:
        self.connected = True
        self.fails = False
        self.tries = 0
        self.sent: list[tuple[str, bytes]] = []

    def publish(self, topic: str, payload: bytes, timeout: float) -> bool:
        assert timeout > 0
        self.tries += 1
        if self.fails:
            return False
        self.sent.append((topic, payload))
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def box(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path, max_bytes=10**8, max_rows=10**5, events_kept=10)


@pytest.fixture
def link() -> FakeLink:
    return FakeLink()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sender(box: Outbox, link: FakeLink, clock: Clock) -> Sender:
    return Sender(
        box,
        link,
        thing="gustbed-s",
        site="s",
        verdict_interval=2.0,
        telemetry_interval=5.0,
        max_rate=1e9,
        monotonic=clock,
    )


VERDICT = (
    b'{"turbine":"wt01","boot":"b","seq":%d,"t":1.0,"state":"ok","score":0.5,'
    b'"ratios":{"rps":0.5},"violations":[],"model":{"name":"m","version":"1.0.0"},"schema":1}'
)


def test_messages_are_what_the_protocol_says(sender: Sender, box: Outbox, link: FakeLink) -> None:
    summary = b'{"turbine":"wt01","type":"mini","t":1,"values":{"rps":1}}'
    box.record(
        [
            Fragment("verdicts", VERDICT % 1 + b"," + VERDICT % 2),
            Fragment("verdicts", VERDICT % 3),
            Fragment("telemetry", summary),
            Fragment("logs", b'{"t":1.0,"level":"warning","message":"m"}'),
        ]
    )
    sender.turn()
    sent = dict(link.sent)
    verdicts = codec.decoder(VerdictBatch)(sent["device/gustbed-s/verdicts"])
    assert (verdicts.thing, verdicts.site) == ("gustbed-s", "s")
    assert [verdict.seq for verdict in verdicts.verdicts] == [1, 2, 3]
    telemetry = codec.decoder(TelemetryBatch)(sent["device/gustbed-s/telemetry"])
    assert [summary.turbine for summary in telemetry.turbines] == ["wt01"]
    logs = codec.decoder(LogBatch)(sent["device/gustbed-s/logs"])
    assert (logs.type, logs.lines[0].message) == ("log", "m")
    assert box.waiting == 0


def test_events_are_one_batch(sender: Sender, box: Outbox, link: FakeLink) -> None:
    event = (
        b'{"id":"%d","site":"s","thing":"gustbed-s","turbine":"wt01","kind":"voltage","opened":1.0,'
        b'"closed":null,"peak_score":2.0,"model":{"name":"m","version":"1.0.0"},"change":"opened"}'
    )
    box.record([Fragment("events", event % 1), Fragment("events", event % 2)])
    sender.turn()
    ((topic, payload),) = link.sent
    assert topic == "device/gustbed-s/events"
    assert [e.id for e in codec.decoder(EventBatch)(payload).events] == ["1", "2"]


def test_each_kind_keeps_its_interval(
    sender: Sender, box: Outbox, link: FakeLink, clock: Clock
) -> None:
    for _ in range(100):
        box.record([Fragment("verdicts", b"1"), Fragment("telemetry", b"2")])
        sender.turn()
        clock.now += 0.5
    topics = [topic.rsplit("/", 1)[1] for topic, _ in link.sent]
    assert topics.count("verdicts") == 25
    assert topics.count("telemetry") == 10


@pytest.mark.promise("T2", "T10")
def test_a_backlog_goes_up_at_once_in_order_and_within_the_size_limit(
    sender: Sender, box: Outbox, link: FakeLink
) -> None:
    fragments = [Fragment("verdicts", b'"%06d%s"' % (i, b"x" * 20_000)) for i in range(100)]
    box.record(fragments)
    sender.turn()
    assert box.waiting == 0, "whatever the interval is"
    assert all(len(payload) <= LIMIT for _, payload in link.sent)
    joined = b"".join(payload for _, payload in link.sent)
    positions = [joined.index(b'"%06d' % i) for i in range(100)]
    assert positions == sorted(positions)


def test_captures_are_batches_that_go_one_at_a_time_after_all_else(
    sender: Sender, box: Outbox, link: FakeLink
) -> None:
    values = np.random.default_rng(1).normal(size=(10, 1500))
    stretch = Stretch("wt01", "mini", "b", 0.0, 1.0, tuple("abcdefghij"), None, "sample", 1)
    stretch.add(values)
    payloads = encoded(stretch) * 2
    box.record([Fragment("capture", payload) for payload in payloads])
    box.record([Fragment("verdicts", b"1")])
    sender.turn()
    assert [topic.rsplit("/", 1)[1] for topic, _ in link.sent] == ["verdicts"] + ["capture"] * len(
        payloads
    )
    del link.sent[0]
    topic, payload = link.sent[0]
    assert topic == "device/gustbed-s/capture"
    assert len(payload) <= LIMIT
    batch = codec.decoder(CaptureBatch)(payload)
    assert (batch.thing, batch.site, len(batch.captures)) == ("gustbed-s", "s", 1)
    assert unpack(batch.captures[0].values, 10).shape[0] == 10


@pytest.mark.promise("T2")
def test_what_is_not_acknowledged_stays_and_goes_first(
    sender: Sender, box: Outbox, link: FakeLink, clock: Clock
) -> None:
    box.record([Fragment("verdicts", b"1")])
    link.fails = True
    sender.turn()
    assert box.waiting == 1
    link.fails = False
    box.record([Fragment("verdicts", b"2")])
    clock.now += LONGEST_PAUSE_SECONDS
    sender.turn()
    assert b"[1,2]" in link.sent[0][1]


@pytest.mark.promise("T8")
def test_a_message_that_is_not_acknowledged_is_not_sent_every_second(
    sender: Sender, box: Outbox, link: FakeLink, clock: Clock
) -> None:
    box.record([Fragment("verdicts", b"1")])
    link.fails = True
    for _ in range(120):
        sender.turn()
        clock.now += 1.0
    assert link.tries <= 9
    before = link.tries
    sender.connected()
    sender.turn()
    assert link.tries == before + 1, "a new connection is worth a try at once"


@pytest.mark.promise("T10")
def test_no_more_goes_up_than_the_link_may_carry(
    box: Outbox, link: FakeLink, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender(
        box,
        link,
        thing="t",
        site="s",
        verdict_interval=2.0,
        telemetry_interval=60.0,
        max_rate=100_000,
        monotonic=clock,
    )

    def pause(seconds: float) -> bool:
        clock.now += seconds
        return False

    monkeypatch.setattr(sender, "pause", pause)
    box.record([Fragment("verdicts", b"x" * 50_000) for _ in range(40)])
    start = clock.now
    sender.turn()
    sent = sum(len(payload) for _, payload in link.sent[:-1])
    assert sent / (clock.now - start) <= 100_000
    assert box.waiting == 0


@pytest.mark.promise("T2", "T8")
def test_what_the_cloud_has_is_not_sent_again_though_the_disk_will_not_let_it_go(
    sender: Sender, box: Outbox, link: FakeLink, clock: Clock
) -> None:
    box.record([Fragment("verdicts", b"%d" % i) for i in range(3)])
    box._db.execute("PRAGMA query_only = 1")
    for _ in range(40):
        sender.turn()
        clock.now += 2
    assert len(link.sent) == 1
    assert (box.waiting, box.waiting_bytes) == (0, 0)
    (reason,) = box.disk.reasons()
    assert "edge.sqlite" in reason
    assert "readonly" in reason
    box._db.execute("PRAGMA query_only = 0")
    box.record([Fragment("verdicts", b"3")])
    sender.turn()
    assert link.sent[1:] == [("device/gustbed-s/verdicts", link.sent[-1][1])]
    assert b"[3]" in link.sent[-1][1]
    assert (box.waiting, box.disk.reasons()) == (0, [])
    box.close()
    assert Outbox(box._path.parent, max_bytes=1, max_rows=1, events_kept=1).waiting == 0


def test_the_largest_message_fits_iot_core() -> None:
    assert MESSAGE_BYTES + 1024 < LIMIT
