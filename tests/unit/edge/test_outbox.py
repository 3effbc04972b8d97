"""What is on disk survives; what is too much goes oldest first, events last, and is counted."""

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gustbed_core import event_kinds
from gustbed_core.events import AnomalyEvent, ModelRef
from gustbed_edge.outbox.store import FILE, Fragment, Outbox

MODEL = ModelRef("tiny", "1.0.0")


def outbox(folder: Path, **changes: Any) -> Outbox:
    limits = {"max_bytes": 10_000, "max_rows": 100, "events_kept": 5} | changes
    return Outbox(folder, **limits)


def event(name: str, **changes: Any) -> AnomalyEvent:
    made = AnomalyEvent(
        name, "s", "gustbed-s", "wt01", event_kinds.VOLTAGE, 10.0, None, 2.0, MODEL, "opened"
    )
    return replace(made, **changes)


def bodies(box: Outbox, kind: str) -> list[bytes]:
    return [pending.body for pending in box.waiting_for(kind, 10**9)]


def test_fragments_wait_in_order_until_they_are_acknowledged(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    box.record([Fragment("verdicts", b"1"), Fragment("logs", b"x"), Fragment("verdicts", b"2")])
    box.record([Fragment("verdicts", b"3")])
    first = box.waiting_for("verdicts", 4)
    assert [pending.body for pending in first] == [b"1", b"2"]
    box.acknowledge("verdicts", first)
    assert bodies(box, "verdicts") == [b"3"]
    assert (box.waiting, box.waiting_bytes) == (2, 2)


def test_a_fragment_larger_than_asked_for_still_comes(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    box.record([Fragment("logs", b"x" * 500)])
    assert len(box.waiting_for("logs", 10)) == 1


@pytest.mark.promise("T3")
def test_a_full_outbox_drops_the_oldest_telemetry_first_and_counts(tmp_path: Path) -> None:
    box = outbox(tmp_path, max_rows=6)
    for i in range(4):
        box.record([Fragment(kind, b"%d" % i) for kind in ("events", "verdicts", "telemetry")])
    assert bodies(box, "telemetry") == []
    assert bodies(box, "verdicts") == [b"2", b"3"]
    assert bodies(box, "events") == [b"0", b"1", b"2", b"3"]
    assert box.dropped == {"telemetry": 4, "verdicts": 2}
    assert box.waiting == 6


@pytest.mark.promise("T3")
def test_captures_are_worth_least_and_go_before_all_else(tmp_path: Path) -> None:
    box = outbox(tmp_path, max_rows=6)
    for i in range(3):
        box.record([Fragment(kind, b"%d" % i) for kind in ("telemetry", "capture", "verdicts")])
    assert bodies(box, "capture") == []
    assert bodies(box, "telemetry") == [b"0", b"1", b"2"]
    assert box.dropped == {"capture": 3}


@pytest.mark.promise("T3")
def test_the_bound_in_bytes_holds_whatever_comes(tmp_path: Path) -> None:
    box = outbox(tmp_path, max_bytes=1000)
    for i in range(50):
        box.record([Fragment("verdicts", b"v" * (i * 7 % 300))])
        assert box.waiting_bytes <= 1000
    assert box.dropped["verdicts"] > 0


@pytest.mark.promise("T3")
def test_an_outbox_that_was_full_recovers(tmp_path: Path) -> None:
    box = outbox(tmp_path, max_rows=10)
    for i in range(30):
        box.record([Fragment("verdicts", b"%d" % i)])
    box.acknowledge("verdicts", box.waiting_for("verdicts", 10**6))
    assert (box.waiting, box.waiting_bytes) == (0, 0)
    box.record([Fragment("verdicts", b"new")])
    assert bodies(box, "verdicts") == [b"new"]


def test_a_fragment_dropped_while_under_way_is_not_counted_twice(tmp_path: Path) -> None:
    box = outbox(tmp_path, max_rows=2)
    box.record([Fragment("verdicts", b"1"), Fragment("verdicts", b"2")])
    under_way = box.waiting_for("verdicts", 10**6)
    box.record([Fragment("verdicts", b"3")])
    box.acknowledge("verdicts", under_way)
    assert (box.waiting, box.waiting_bytes) == (1, 1)


def test_counts_are_right_after_a_restart(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    box.record([Fragment("verdicts", b"12"), Fragment("logs", b"345")])
    box.close()
    again = outbox(tmp_path)
    assert (again.waiting, again.waiting_bytes) == (2, 5)


CRASH = """
import os, signal, sys
from pathlib import Path
from gustbed_edge.outbox.store import Fragment, Outbox
box = Outbox(Path(sys.argv[1]), max_bytes=10**6, max_rows=1000, events_kept=5)
for i in range(20):
    box.record([Fragment("verdicts", b"%d" % i)])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.promise("T4")
def test_what_was_recorded_survives_sigkill(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CRASH, str(tmp_path)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert bodies(outbox(tmp_path), "verdicts") == [b"%d" % i for i in range(20)]


def test_the_latest_state_of_an_event_is_kept(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    box.record([], [event("a"), event("b")])
    box.record([], [event("a", peak_score=5.0, change="updated")])
    box.record([], [event("b", closed=20.0, change="closed")])
    assert box.open_events() == [event("a", peak_score=5.0, change="updated")]
    assert [e.id for e in box.events_since(0)] == ["a", "b"]


def test_events_since_leaves_out_what_ended_before_but_not_what_is_open(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    box.record([], [event("open"), event("closed", closed=20.0, change="closed")])
    assert [e.id for e in box.events_since(2**40)] == ["open"]


def test_closed_events_are_bounded_and_open_ones_kept(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    box.record([], [event("open")])
    for i in range(20):
        box.record([], [event(f"e{i}", closed=20.0, change="closed")])
    kept = [e.id for e in box.events_since(0)]
    assert "open" in kept
    assert len(kept) <= 6


def test_a_refused_transaction_leaves_the_counts_alone(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    box.record([Fragment("verdicts", b"1")])
    bad = Fragment("verdicts", None)  # type: ignore[arg-type]
    with pytest.raises((sqlite3.Error, TypeError)):
        box.record([Fragment("verdicts", b"2"), bad])
    assert (box.waiting, bodies(box, "verdicts")) == (1, [b"1"])


def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(os.urandom(8192))
    box = outbox(tmp_path)
    box.record([Fragment("logs", b"x")])
    assert box.waiting == 1
    assert any("corrupt" in path.name for path in tmp_path.iterdir())
