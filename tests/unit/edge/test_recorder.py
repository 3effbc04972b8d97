"""The recorder tells at once, splits what is large, and keeps what the disk refuses."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from gustbed_core import event_kinds
from gustbed_core.events import AnomalyEvent, LogLine, ModelRef, TelemetrySummary
from gustbed_edge.outbox.recorder import MAX_FRAGMENT_BYTES, MAX_HELD, Recorder
from gustbed_edge.outbox.store import Fragment, Outbox
from tests.support.ports import wait_until

EVENT = AnomalyEvent(
    "e", "s", "t", "wt01", event_kinds.ROTATION, 1.0, None, 2.0, ModelRef("m", "1.0.0"), "opened"
)


class FailingOutbox(Outbox):
    """An outbox on a disk that is full for a while."""

    fails = False

    def record(
        self,
        fragments: Sequence[Fragment],
        events: Sequence[AnomalyEvent] = (),
        kept: Mapping[str, bytes] | None = None,
    ) -> None:
        if self.fails:
            raise sqlite3.OperationalError("database or disk is full")
        super().record(fragments, events, kept)


@pytest.fixture
def box(tmp_path: Path) -> FailingOutbox:
    return FailingOutbox(tmp_path, max_bytes=10**7, max_rows=1000, events_kept=10)


def items(box: Outbox, kind: str) -> list[object]:
    found = []
    for pending in box.waiting_for(kind, 10**9):
        found += msgspec.json.decode(b"[" + pending.body + b"]")
    return found


@pytest.mark.promise("T8")
def test_an_event_is_told_before_any_disk_is_asked_and_the_uplink_woken_after(
    box: FailingOutbox,
) -> None:
    told: list[AnomalyEvent] = []
    stored: list[bool] = []
    recorder = Recorder(box, told.append, stored=lambda: stored.append(bool(box.open_events())))
    box.fails = True
    recorder.events([EVENT])
    assert told == [EVENT]
    recorder.write()
    assert stored == []
    assert recorder.events_since(0) == [EVENT], "whoever asks knows of it all the same"
    box.fails = False
    recorder.write()
    recorder.write()
    assert (told, stored, recorder.held) == ([EVENT], [True], 0)
    assert recorder.events_since(0) == [EVENT]


def test_what_the_disk_refuses_is_kept_and_written_later(box: FailingOutbox) -> None:
    told: list[AnomalyEvent] = []
    recorder = Recorder(box, told.append)
    box.fails = True
    recorder.verdicts([b"1", b"2"])
    recorder.events([EVENT])
    recorder.write()
    recorder.verdicts([b"3"])
    recorder.write()
    assert recorder.held == 4
    box.fails = False
    recorder.write()
    assert items(box, "verdicts") == [1, 2, 3]
    assert box.open_events() == [EVENT]
    assert told == [EVENT], "once"
    assert (recorder.records["verdicts"], recorder.dropped.total()) == (3, 0)


def test_large_amounts_are_split_without_losing_any(box: FailingOutbox) -> None:
    recorder = Recorder(box, lambda _event: None)
    recorder.verdicts([b'"%0500d"' % i for i in range(500)])
    recorder.write()
    pending = box.waiting_for("verdicts", 10**9)
    assert len(pending) > 1
    assert all(len(item.body) <= MAX_FRAGMENT_BYTES for item in pending)
    assert len(items(box, "verdicts")) == 500


def test_captures_held_while_the_disk_fails_are_few(box: FailingOutbox) -> None:
    recorder = Recorder(box, lambda _event: None)
    box.fails = True
    for number in range(MAX_HELD["capture"] + 5):
        recorder.captures([b"%d" % number])
        recorder.write()
    box.fails = False
    recorder.write()
    assert items(box, "capture") == list(range(5, MAX_HELD["capture"] + 5))
    assert recorder.dropped == {"capture": 5}, "what went is counted"


def test_every_kind_lands_in_its_own_place(box: FailingOutbox) -> None:
    recorder = Recorder(box, lambda _event: None)
    recorder.summaries([TelemetrySummary("wt01", "mini", 1.0, {"rps": 2.0})])
    recorder.line(LogLine(1.0, "warning", "hello"))
    recorder.write()
    (summary,), (line,) = items(box, "telemetry"), items(box, "logs")
    assert isinstance(summary, dict)
    assert summary["turbine"] == "wt01"
    assert line == {"t": 1.0, "level": "warning", "message": "hello"}


def test_an_event_does_not_wait_for_the_next_second(box: FailingOutbox) -> None:
    told: list[AnomalyEvent] = []
    recorder = Recorder(box, told.append)
    recorder.start()
    recorder.events([EVENT])
    wait_until(lambda: told, "the event is told")
    recorder.verdicts([b"9"])
    recorder.stop(30)
    assert items(box, "verdicts") == [9]
