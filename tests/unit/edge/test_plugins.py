"""What a plug-in raises stays with it: logged, counted, shown; the others and scoring go on."""

import threading
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.events import AnomalyEvent, ModelRef
from gustbed_core.plugins import Registry
from gustbed_edge import choosing
from gustbed_edge.choosing import choose, plug_in
from gustbed_edge.guard import SINK_WAITING, WORKLOAD_WAITING, Guard, SinkWorker, WorkloadWorker
from gustbed_edge.ingest.receiver import ArrivedBlock
from gustbed_edge.ingest.sequence import Arrival
from tests.support.packages import calm, mini_block
from tests.support.ports import wait_until

GROUP = "gustbed.sinks"
EVENT = AnomalyEvent(
    "e", "s", "t", "wt01", "storm", 1.0, None, 2.0, ModelRef("m", "1.0.0"), "opened"
)
BLOCK = ArrivedBlock(0, mini_block("wt01", "b", 0, 1.0, 0.05, calm()), 0.0, Arrival.NEXT)


def registry(**points: str) -> Registry[Any]:
    """Plug-ins by name and where they are to be found."""
    points = {"announce": "builtins:dict", "cloud": "builtins:list"} | points

    def find(group: str) -> Iterable[EntryPoint]:
        return [EntryPoint(name, value, group) for name, value in points.items()]

    return Registry(GROUP, find)


def made(registry: Registry[Any], *names: str) -> tuple[dict[str, object], list[Guard]]:
    guards: list[Guard] = []
    found = plug_in(registry, names, lambda _name, factory, _guard: factory(), guards)
    return {name: each.plugin for name, each in found.items()}, guards


def test_unless_it_is_said_otherwise_all_that_are_installed_run_ours_first() -> None:
    found = registry(abacus="builtins:set")
    assert choose(found, "") == ["announce", "cloud", "abacus"]
    assert choose(found, "", every=False) == ["announce", "cloud"]
    assert choose(found, " abacus, cloud,") == ["cloud", "abacus"]


def test_a_name_that_is_not_installed_is_said_with_those_that_are() -> None:
    with pytest.raises(GustbedError, match=r"'pager'.*announce, cloud"):
        choose(registry(), "cloud,pager")


@pytest.mark.parametrize("place", ["nowhere:Thing", "math:nothing", "math:sqrt"])
def test_one_that_cannot_be_loaded_or_made_is_noted_and_the_others_run(
    place: str, caplog: pytest.LogCaptureFixture
) -> None:
    found, guards = made(registry(broken=place), "announce", "broken", "cloud")
    assert found == {"announce": {}, "cloud": []}
    assert [(guard.name, guard.failures) for guard in guards] == [
        ("sinks/announce", 0),
        ("sinks/broken", 1),
        ("sinks/cloud", 0),
    ]
    assert guards[1].error
    assert "plug-in sinks/broken failed" in caplog.text


def test_one_whose_factory_never_returns_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "MAKE_SECONDS", 0.05)
    forever = threading.Event()

    def make(name: str, factory: Any, _guard: Guard) -> object:
        if name == "hangs":
            forever.wait()
        return factory()

    noted: list[Guard] = []
    plugged = plug_in(registry(hangs="builtins:set"), ["hangs", "cloud"], make, noted)
    forever.set()
    assert [*plugged] == ["cloud"]
    assert noted[0].error == "TimeoutError: its factory did not return within 0 s"


def test_one_of_ours_that_cannot_be_loaded_stops_the_start() -> None:
    with pytest.raises(GustbedError):
        made(registry(cloud="nowhere:Thing"), "announce", "cloud")


class Stubborn:
    """A sink and a workload that fail every time but the last."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.taken: list[object] = []

    def send(self, event: AnomalyEvent) -> None:
        self._take(event)

    def score(self, blocks: Sequence[ArrivedBlock]) -> None:
        if blocks:
            self._take(list(blocks))

    def _take(self, what: object) -> None:
        if self.failures:
            self.failures -= 1
            raise ZeroDivisionError("no reason")
        self.taken.append(what)


def test_a_sink_that_fails_is_counted_and_asked_again_for_the_next_event(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = Stubborn(2)
    worker = SinkWorker(sink, Guard("sinks/stubborn"))
    for _ in range(3):
        worker.put(EVENT)
    worker.turn()
    assert (worker.guard.failures, sink.taken) == (2, [EVENT])
    assert worker.guard.error == "ZeroDivisionError: no reason"
    tracebacks = [record for record in caplog.records if record.exc_info]
    assert len(tracebacks) == 1, "a failure that comes again and again fills no log"


def test_a_sink_that_is_too_slow_loses_the_oldest_and_nobody_waits_for_it() -> None:
    worker = SinkWorker(Stubborn(0), Guard("sinks/slow"))
    for _ in range(SINK_WAITING + 5):
        worker.put(EVENT)
    assert worker.guard.dropped == 5


def test_what_came_last_is_sent_before_the_end() -> None:
    sink = Stubborn(0)
    worker = SinkWorker(sink, Guard("sinks/last"))
    worker.start()
    worker.put(EVENT)
    worker.stop(30)
    assert sink.taken == [EVENT]


def test_a_workload_gets_its_blocks_in_a_thread_of_its_own_and_may_fail() -> None:
    workload = Stubborn(1)
    worker = WorkloadWorker(workload, Guard("workloads/stubborn"))
    worker.start()
    worker.score([BLOCK])
    wait_until(lambda: worker.guard.failures == 1, "it fails")
    worker.score([BLOCK, BLOCK])
    wait_until(lambda: workload.taken == [[BLOCK, BLOCK]], "it has the next")
    worker.stop(30)


def test_a_workload_that_is_too_slow_loses_the_oldest_blocks() -> None:
    worker = WorkloadWorker(Stubborn(0), Guard("workloads/slow"))
    for _ in range(WORKLOAD_WAITING + 3):
        worker.score([BLOCK])
    assert worker.guard.dropped == 3
