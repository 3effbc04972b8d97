"""What the launcher mends of MiniStack, without it: patterns, queries, rule SQL, turns."""

import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.ports import wait_until
from tests.unit.cloud.functions import CLOUD, load_from


@pytest.fixture(scope="module", autouse=True)
def scripts() -> Iterator[None]:
    folder = str(CLOUD / "emulator")
    sys.path.insert(0, folder)
    yield
    sys.path.remove(folder)


@pytest.fixture
def corrections() -> Any:
    return load_from(CLOUD / "emulator", "corrections")


@pytest.fixture
def invocations() -> Any:
    return load_from(CLOUD / "emulator", "invocations")


@pytest.mark.parametrize(
    ("pattern", "message", "found"),
    [
        ("", "anything", True),
        ("ERROR", "ERROR in wt01", True),
        ("ERROR", "error in wt01", False),
        ("ERROR wt01", "wt01: ERROR", True),
        ("ERROR wt01", "wt02: ERROR", False),
        ('"in wt01"', "ERROR in wt01", True),
        ('"in wt01"', "wt01 in ERROR", False),
        ("?ERROR ?WARN", "WARN", True),
        ("?ERROR ?WARN", "INFO", False),
        ("ERROR -wt01", "ERROR wt01", False),
        ("w*1", "wt01", False),
    ],
)
def test_terms_are_matched_as_cloudwatch_matches_them(
    corrections: Any, pattern: str, message: str, found: bool
) -> None:
    assert corrections.matcher(pattern)(message) is found


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        ('SELECT * FROM "device/+/events"', "SELECT * FROM 'device/+/events'"),
        ("SELECT * FROM 'a' WHERE k = \"it's\"", "SELECT * FROM 'a' WHERE k = 'it''s'"),
        ("SELECT * FROM 'a' WHERE k = 'say \"no\"'", "SELECT * FROM 'a' WHERE k = 'say \"no\"'"),
    ],
)
def test_double_quotes_mean_what_single_ones_mean(corrections: Any, sql: str, kept: str) -> None:
    assert corrections.single_quoted(sql) == kept


def test_a_query_that_would_be_passed_over_is_named(corrections: Any) -> None:
    module = SimpleNamespace(
        _split_insights_pipes=lambda query: query.split("|"),
        _insights_filter_predicates=lambda stage: [] if "ispresent" in stage else [1],
    )
    assert corrections.not_evaluated(module, "fields @message | sort @timestamp | limit 3") is None
    assert "'stats'" in corrections.not_evaluated(module, "stats count(*) by bin(5m)")
    assert "ispresent" in corrections.not_evaluated(module, "fields a | filter ispresent(b)")


def test_no_more_functions_run_at_once_than_allowed(invocations: Any) -> None:
    running, most, done, gate = 0, 0, 0, threading.Event()
    lock = threading.Lock()

    def execute(_function: dict[str, Any], _event: Any) -> None:
        nonlocal running, most, done
        with lock:
            running += 1
            most = max(most, running)
        gate.wait(10)
        with lock:
            running -= 1
            done += 1

    lambdas = SimpleNamespace(_execute_function=execute)
    invocations.limit(lambdas, invocations.Turns(2))
    callers = [
        threading.Thread(target=lambdas._execute_function, args=({}, number)) for number in range(6)
    ]
    for caller in callers:
        caller.start()
    wait_until(lambda: running == 2, "two run")
    gate.set()
    for caller in callers:
        caller.join(10)
    assert (most, done) == (2, 6)


def test_who_waits_for_those_who_wait_for_it_is_let_in(invocations: Any) -> None:
    turns = invocations.Turns(1, patience=0.05)
    with turns.one(), turns.one():
        pass
    with turns.one():
        pass


def test_messages_beyond_the_queue_are_counted_and_told(
    invocations: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(invocations, "WAITING", 2)
    called: list[Any] = []
    messages = invocations.Messages(lambda _function, event: called.append(event))
    for number in range(5):
        messages.put({}, number)
    assert messages.dropped == 3
    assert "dropped" in capsys.readouterr().err
    messages.start(1)
    wait_until(lambda: called == [0, 1], "those that wait are called in order")
