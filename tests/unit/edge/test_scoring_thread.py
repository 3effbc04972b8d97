"""The queue is bounded, the scoring thread survives what it is given, swaps lose nothing."""

import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gustbed_core import codec, topics
from gustbed_core.events import LogLine, Verdict
from gustbed_core.mqtt import Message
from gustbed_core.settings import SiteSettings
from gustbed_core.telemetry import block_from_samples
from gustbed_edge.capture.capturer import Stretch
from gustbed_edge.guard import Guard
from gustbed_edge.ingest.quarantine import Quarantine
from gustbed_edge.ingest.queue import MAX_BATCH, ReceiveQueue
from gustbed_edge.ingest.reader import BlockReader
from gustbed_edge.ingest.receiver import ArrivedBlock, BlockReceiver
from gustbed_edge.models.loading import LoadedModels
from gustbed_edge.outbox.log_handler import CloudLogHandler
from gustbed_edge.outbox.policy import UplinkPolicy
from gustbed_edge.outbox.recorder import Recorder
from gustbed_edge.outbox.store import Outbox
from gustbed_edge.scoring import model_swap
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.scorer import Outcome
from gustbed_edge.scoring.thread import ScoringThread
from gustbed_edge.settings import EdgeSettings
from gustbed_edge.workloads.telemetry import TelemetryContext, telemetry
from tests.support.bench import TYPES
from tests.support.packages import excited, mini_block, tiny_package
from tests.support.ports import wait_until

TURBINES = ("wt01",)


def take(queue: ReceiveQueue, enough: int = 1) -> list[object]:
    return [item.content for item in queue.take(0.0, 0.0, enough)]


def test_a_full_queue_drops_the_oldest_and_counts() -> None:
    queue = ReceiveQueue(limit=3)
    for i in range(5):
        queue.put("t", b"%d" % i)
    assert queue.dropped == 2
    assert take(queue) == [b"2", b"3", b"4"]
    assert take(queue) == []


def test_a_queue_is_bounded_in_bytes_too() -> None:
    queue = ReceiveQueue(limit=100, max_bytes=1000)
    for i in range(10):
        queue.put("t", b"%d" % i * 300)
    assert queue.dropped == 7
    assert len(take(queue)) == 3
    queue.put("t", b"x" * 900)
    assert queue.dropped == 7, "what was taken no longer counts"


def test_what_is_no_payload_and_no_block_is_not_taken() -> None:
    queue = ReceiveQueue(limit=3)
    for nonsense in (None, "text", [1.0]):
        with pytest.raises(TypeError):
            queue.put("t", nonsense)  # type: ignore[arg-type]
    assert take(queue) == []


def test_a_batch_is_bounded_and_the_rest_comes_next() -> None:
    queue = ReceiveQueue(limit=10_000)
    for i in range(MAX_BATCH + 1):
        queue.put("t", b"%d" % i)
    assert len(take(queue)) == MAX_BATCH
    assert take(queue) == [b"%d" % MAX_BATCH]


class Line:
    """A scoring thread with the telemetry workload, whose messages are collected."""

    def __init__(self, folder: Path) -> None:
        self.messages: list[Message] = []
        self.outbox = Outbox(folder, max_bytes=10**6, max_rows=1000, events_kept=10)
        self.recorder = Recorder(self.outbox, lambda _event: None)
        reader = BlockReader("s", TURBINES, max_clock_ahead=60.0)
        self.stretches: list[Stretch] = []
        self.queue = ReceiveQueue(1000)
        context = TelemetryContext(
            site=SiteSettings(site="s", turbines=1),
            events=self.recorder.events,
            open_events=(),
            publish=self.publish,
            name="telemetry",
            settings=EdgeSettings(
                data_dir=folder,
                open_after=2,
                close_after=2,
                max_scoring_time=5.0,
                capture_seconds=2.0,
                telemetry_interval=1.0,
            ),
            types=TYPES,
            models=LoadedModels({}, {}, frozenset()),
            requirements=reader.requirements,
            recorder=self.recorder,
            policy=UplinkPolicy(TURBINES, interval=60.0, full=TURBINES),
            keep_capture=self.stretches.append,
            waiting=self.queue.__len__,
            reject=Quarantine(folder).reject,
            disk=self.outbox.disk,
        )
        self.telemetry = telemetry(context)
        self.telemetry.scorer.serve(Detector(tiny_package()))
        self.guard = Guard("workloads/telemetry")
        self.thread = ScoringThread(
            self.queue,
            BlockReceiver(reader, Quarantine(folder)),
            [(self.telemetry, self.guard)],
            enough=1,
            grace=0.0,
        )
        self.seq = 0

    def publish(self, message: Message) -> bool:
        self.messages.append(message)
        return True

    def send(self, count: int = 1) -> None:
        for _ in range(count):
            t0 = time.time() - 100 + self.seq * 0.5
            samples = mini_block("wt01", "boot", self.seq, t0, 0.05, excited())
            payload = codec.encode(block_from_samples(samples))
            self.queue.put(topics.telemetry("s", "wt01"), payload)
            self.seq += 1

    def send_slowly(self, count: int) -> None:
        """Blocks that are each a batch."""
        for _ in range(count):
            self.send()
            wait_until(lambda: self.telemetry.verdicts == self.seq, "a verdict")

    def verdicts(self) -> list[Verdict]:
        decode = codec.decoder(Verdict)
        return [decode(message.payload) for message in list(self.messages)]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path)
    made.thread.start()
    yield made
    made.thread.stop()


def test_verdicts_are_published_and_recorded_and_timed(line: Line) -> None:
    line.send(5)
    wait_until(lambda: line.telemetry.verdicts == 5, "five verdicts")
    assert {message.topic for message in line.messages} == {topics.verdict("s", "wt01")}
    line.recorder.write()
    (recorded,) = line.outbox.waiting_for("verdicts", 10**6)
    assert recorded.body == b",".join(message.payload for message in line.messages)
    (event,) = line.outbox.open_events()
    assert event.turbine == "wt01"
    latency = line.telemetry.latency()
    assert 0 < latency["p50"] <= latency["p99"] <= latency["max"]


def test_summaries_are_recorded_at_their_interval(line: Line) -> None:
    line.send(2)

    def written() -> Any:
        line.recorder.write()
        return line.outbox.waiting_for("telemetry", 10**6)

    wait_until(written, "a summary")


@pytest.mark.promise("T6")
def test_a_fault_of_ours_in_a_batch_does_not_end_scoring(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = line.telemetry.scorer.score

    def stumble(blocks: Iterable[ArrivedBlock]) -> Outcome:
        monkeypatch.setattr(line.telemetry.scorer, "score", score)
        raise ZeroDivisionError

    monkeypatch.setattr(line.telemetry.scorer, "score", stumble)
    line.send()
    wait_until(lambda: line.guard.failures == 1, "the batch fails")
    line.send(3)
    wait_until(lambda: line.telemetry.verdicts == 3, "the next ones are scored")


@pytest.mark.promise("O7")
def test_a_swap_under_load_scores_every_block_once(line: Line) -> None:
    for number in range(20):
        line.send(3)
        line.telemetry.host.serve(Detector(tiny_package(f"1.{number + 1}.0")))
        line.send(2)
    wait_until(lambda: line.telemetry.verdicts == 100, "all are scored")
    verdicts = line.verdicts()
    assert [verdict.seq for verdict in verdicts] == list(range(100))
    assert [verdict.state for verdict in verdicts] == ["warming"] + ["anomaly"] * 99
    versions = [int(v.model.version.split(".")[1]) for v in verdicts if v.model]
    assert versions == sorted(versions)
    assert versions[-1] == 20


def test_a_shadow_models_verdicts_follow_on_their_own_topic(line: Line) -> None:
    line.telemetry.host.start_shadow(Detector(tiny_package("2.0.0")))
    assert line.telemetry.host.runs_shadow("mini")
    line.send_slowly(5)
    topic = topics.shadow_verdict("s", "wt01")

    def told() -> list[Message]:
        return [message for message in list(line.messages) if message.topic == topic]

    wait_until(lambda: len(told()) == 5, "five verdicts of the shadow model")
    verdicts = [codec.decoder(Verdict)(message.payload) for message in told()]
    assert [verdict.seq for verdict in verdicts] == list(range(5))
    assert {verdict.model.version for verdict in verdicts if verdict.model} == {"2.0.0"}
    assert {message.qos for message in told()} == {0}
    assert line.telemetry.shadow_models.comparisons()["mini"].both == 4
    assert line.telemetry.verdicts == 5
    line.recorder.write()
    assert line.outbox.waiting_for("verdicts", 10**6)[0].body.count(b'"seq"') == 5
    line.telemetry.host.stop_shadow("mini")
    assert not line.telemetry.host.runs_shadow("mini")


def test_an_events_capture_reaches_whoever_keeps_it(line: Line) -> None:
    line.send_slowly(8)
    wait_until(lambda: line.stretches, "a stretch is drawn")
    assert (line.stretches[0].turbine, line.stretches[0].reason) == ("wt01", "event")


def test_a_swap_that_nobody_takes_is_an_error_and_does_not_come_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_swap, "SWAP_TIMEOUT", 0.01)
    line = Line(tmp_path)
    with pytest.raises(TimeoutError):
        line.telemetry.host.serve(Detector(tiny_package("2.0.0")))
    line.thread.start()
    line.send()
    wait_until(line.verdicts, "a verdict")
    line.thread.stop()
    (verdict,) = line.verdicts()
    assert verdict.model is not None
    assert verdict.model.version == "1.0.0"


def test_what_waits_is_scored_before_the_end(line: Line) -> None:
    line.send(200)
    line.thread.stop()
    assert line.telemetry.verdicts == 200


def test_warnings_reach_the_cloud_and_small_talk_does_not() -> None:
    lines: list[LogLine] = []
    logger = logging.getLogger("gustbed_edge.test")
    handler = CloudLogHandler(lines.append)
    logger.addHandler(handler)
    try:
        logger.info("small talk")
        logger.warning("job %s failed", "j1")
    finally:
        logger.removeHandler(handler)
    assert [(line.level, line.message) for line in lines] == [("warning", "job j1 failed")]
