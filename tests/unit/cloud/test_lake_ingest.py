"""lake_ingest: captures to records of the lake."""

import dataclasses
import gzip
import json
from typing import Any

import msgspec
import numpy as np
import pytest

from gustbed_core.capture import SCHEMA, Capture, CaptureBatch, pack
from gustbed_core.events import ModelRef
from tests.support.aws_contract import modelled
from tests.support.aws_rights import environment
from tests.unit.cloud.functions import FakeLogs, load, queued

handler = load("lake_ingest")
NOW = 1_800_000_000.0
STREAM = environment("lake_ingest")["LAKE_STREAM"]


@modelled("firehose")
class FakeFirehose:
    """Firehose that keeps records and knows its limits."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.down = False
        self.refused: set[int] = set()
        """Places in the call at which it refuses a record."""

    def put_record_batch(
        self,
        DeliveryStreamName: str,  # noqa: N803
        Records: list[dict[str, bytes]],  # noqa: N803
    ) -> dict[str, Any]:
        if self.down:
            raise RuntimeError("no route")
        assert DeliveryStreamName == STREAM
        sizes = [len(record["Data"]) for record in Records]
        assert 1 <= len(sizes) <= 500
        assert max(sizes) <= 1000 * 1024
        assert sum(sizes) <= 4 * 1024 * 1024
        told = []
        for place, record in enumerate(Records):
            if place in self.refused:
                told.append({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "slow"})
            else:
                self.records.append(record["Data"])
                told.append({"RecordId": str(place)})
        return {"FailedPutCount": len(self.refused), "RequestResponses": told}


def capture(**changes: Any) -> dict[str, Any]:
    values = pack(np.zeros((2, 4)))
    found = Capture("wt01", "mini", "b", NOW, 0.05, ["rps", "voltage"], values, [0.1], 0, None)
    return {**msgspec.to_builtins(found), **changes}


def routed(*captures: dict[str, Any], **changes: Any) -> dict[str, Any]:
    batch: dict[str, Any] = {
        "thing": "liar",
        "site": "s",
        "captures": list(captures) or [capture()],
        "schema": SCHEMA,
        "mqtt_client": "edge-1",
        "mqtt_thing": "edge-1",
        "mqtt_kind": "capture",
        "mqtt_received": int(NOW * 1000),
    }
    return {**batch, **changes}


def ingest(
    *bodies: object, firehose: FakeFirehose | None = None, logs: FakeLogs | None = None
) -> tuple[FakeFirehose, FakeLogs, list[str]]:
    firehose, logs = firehose or FakeFirehose(), logs or FakeLogs()
    lake, log = handler.Lake(firehose, STREAM), handler.Log(logs, "/gustbed/fleet")
    failures = handler.ingest(queued(*bodies), lake, log, NOW)["batchItemFailures"]
    return firehose, logs, [row["itemIdentifier"] for row in failures]


def test_message_becomes_a_line_of_the_thing_that_the_topic_names() -> None:
    model = {"name": "windturbine", "version": "1.2.0"}
    firehose, logs, failed = ingest(routed(capture(model=model)), routed(capture(boot="second")))
    assert failed == []
    assert logs.streams == {}
    # Joined, as Firehose joins them, they are one gzip file.
    lines = gzip.decompress(b"".join(firehose.records)).decode().splitlines()
    first, second = (msgspec.json.decode(line, type=CaptureBatch) for line in lines)
    assert (first.thing, first.site, first.captures[0].model) == (
        "edge-1",
        "s",
        ModelRef("windturbine", "1.2.0"),
    )
    assert second.captures[0].boot == "second"


def test_capture_of_an_edge_that_knows_no_commissioning_is_taken() -> None:
    sent = capture()
    for name in handler.OPTIONAL:
        del sent[name]
    firehose, logs, _ = ingest(routed(sent), routed(capture(commissioning="wt01-3")))
    assert logs.streams == {}
    lines = gzip.decompress(b"".join(firehose.records)).splitlines()
    old, new = (msgspec.json.decode(line, type=CaptureBatch).captures[0] for line in lines)
    assert (old.commissioning, old.violations, old.fair) == ("", [], True)
    assert new.commissioning == "wt01-3"


def test_message_that_is_delivered_again_is_the_same_record() -> None:
    firehose, _, _ = ingest(routed(), routed())
    assert firehose.records[0] == firehose.records[1]


def test_fields_that_are_asked_for_are_those_of_a_capture() -> None:
    asked = handler.FIELDS.keys() | handler.OPTIONAL.keys()
    assert asked == {field.name for field in dataclasses.fields(Capture)}
    assert handler.SCHEMA == SCHEMA


@pytest.mark.parametrize(
    ("body", "stream"),
    [
        ("{", "unknown/rejected"),
        ("[" * 100_000, "unknown/rejected"),
        ("[1]", "unknown/rejected"),
        ({"captures": []}, "unknown/rejected"),
        (routed(mqtt_kind="logs"), "edge-1/rejected"),
        (routed(schema=2), "edge-1/rejected"),
        (routed(site=None), "edge-1/rejected"),
        (routed(captures=[]), "edge-1/rejected"),
        (routed(captures="many"), "edge-1/rejected"),
        (routed(captures=[1]), "edge-1/rejected"),
        (routed(capture(t0="now")), "edge-1/rejected"),
        (routed(capture(t0=float("nan"))), "edge-1/rejected"),
        (routed(capture(scores=[float("inf")])), "edge-1/rejected"),
        (routed(capture(model="windturbine")), "edge-1/rejected"),
        (routed(capture(commissioning=3)), "edge-1/rejected"),
        (routed(capture(violations="voltage")), "edge-1/rejected"),
        (routed({k: v for k, v in capture().items() if k != "values"}), "edge-1/rejected"),
    ],
)
def test_malformed_message_is_kept_with_a_reason_and_the_rest_goes_on(
    body: object, stream: str
) -> None:
    firehose, logs, failed = ingest(body, routed())
    assert failed == []
    (line,) = logs.lines(stream)
    assert line["reason"]
    assert len(firehose.records) == 1


def test_text_that_is_no_unicode_does_not_stop_the_rest() -> None:
    firehose, _, failed = ingest(routed(capture(boot="\ud800")), routed())
    assert failed == []
    (line, _) = gzip.decompress(b"".join(firehose.records)).splitlines()
    assert json.loads(line)["captures"][0]["boot"] == "\ud800"


def test_record_beyond_the_limit_is_rejected_and_many_are_split() -> None:
    noise = np.random.default_rng(1).integers(0, 256, 1_600_000, dtype=np.uint8).tobytes()
    _, logs, failed = ingest(routed(capture(values=noise.hex())))
    assert failed == []
    assert "bytes, at most 1024000" in logs.lines("edge-1/rejected")[0]["reason"]
    large = [routed(capture(values=noise[:800_000].hex(), boot=str(i))) for i in range(6)]
    firehose, _, failed = ingest(*large)
    assert failed == []
    assert len(firehose.records) == 6


def test_what_firehose_refuses_is_delivered_again_and_nothing_else() -> None:
    firehose = FakeFirehose()
    firehose.refused = {1}
    _, _, failed = ingest("{", routed(), routed(), routed(), firehose=firehose)
    assert failed == ["m2"]


def test_firehose_that_is_down_fails_its_records_only() -> None:
    firehose = FakeFirehose()
    firehose.down = True
    _, logs, failed = ingest("{", routed(), firehose=firehose)
    assert failed == ["m1"]
    assert logs.lines("unknown/rejected")


def test_bad_message_that_could_not_be_kept_is_delivered_again() -> None:
    logs = FakeLogs()
    logs.broken.add("edge-1/rejected")
    firehose, _, failed = ingest(routed(schema=9), routed(), logs=logs)
    assert failed == ["m0"]
    assert len(firehose.records) == 1
