"""From a captured stretch of sensor data to the lake, and back to a folder."""

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gustbed_cloud import operations
from gustbed_core.capture import Capture, CaptureBatch, pack, unpack
from gustbed_core.codec import encode
from gustbed_core.errors import GustbedError
from gustbed_core.events import LogBatch, LogLine, ModelRef
from gustbed_core.topics import uplink
from tests.support.cloud import Device, LocalCloud, enrolled
from tests.support.ports import wait_until

THING, SITE = "gustbed-site-1", "site-1"


@pytest.fixture(scope="module")
def device(cloud: LocalCloud) -> Iterator[Device]:
    with Device(enrolled(cloud, THING)) as connected:
        yield connected


@pytest.fixture(scope="module")
def client(cloud: LocalCloud) -> operations.Cloud:
    return cloud.connect()


def batch(boot: str, values: np.ndarray | None = None, thing: str = THING) -> CaptureBatch:
    """One capture, told from the others by its ``boot``."""
    shown = np.zeros((2, 40)) if values is None else values
    capture = Capture(
        turbine="wt03",
        type="nrel_5mw",
        boot=boot,
        t0=time.time() - 60,
        dt=0.05,
        channels=["rotor_speed", "power"],
        values=pack(shown),
        scores=[0.4, 1.2],
        anomalies=1,
        model=ModelRef("nrel-5mw", "1.0.0"),
    )
    return CaptureBatch(thing, SITE, [capture])


def lines(folder: Path) -> list[CaptureBatch]:
    """Every line of a fetched lake."""
    texts = (
        text
        for path in sorted(folder.rglob("*.jsonl.gz"))
        for text in gzip.decompress(path.read_bytes()).splitlines()
    )
    return [msgspec.json.decode(text, type=CaptureBatch) for text in texts]


def boots(client: operations.Cloud, folder: Path) -> set[str]:
    operations.fetch_captures(client, folder)
    return {capture.boot for line in lines(folder) for capture in line.captures}


def test_capture_comes_back_from_the_lake_as_it_was_sent(
    device: Device, client: operations.Cloud, tmp_path: Path
) -> None:
    values = np.random.default_rng(1).normal(size=(2, 400)).astype(np.float32)
    # What a payload says of its sender does not count.
    sent = batch("whole", values, thing="gustbed-other")
    device.publish(uplink(THING, "capture"), encode(sent))
    wait_until(lambda: "whole" in boots(client, tmp_path), "the capture is in the lake")
    (line,) = (line for line in lines(tmp_path) if line.captures[0].boot == "whole")
    assert line.thing == THING
    assert line.captures == sent.captures
    assert np.array_equal(unpack(line.captures[0].values, 2), values)
    (path,) = tmp_path.rglob("*.jsonl.gz")
    day = "/".join(path.relative_to(tmp_path).parts[:3])
    assert time.strptime(day, "%Y/%m/%d")


def test_burst_of_captures_arrives_whole_and_only_in_the_lake(
    device: Device, client: operations.Cloud, tmp_path: Path
) -> None:
    sent = {f"burst-{i}" for i in range(40)}
    for boot in sent:
        device.publish(uplink(THING, "capture"), encode(batch(boot)))
    log = LogBatch(THING, SITE, [LogLine(time.time(), "info", "after the burst")])
    device.publish(uplink(THING, "logs"), encode(log))
    wait_until(lambda: sent <= boots(client, tmp_path), "every capture is in the lake", timeout=60)
    wait_until(lambda: operations.read_log(client, "logs"), "the log line is in the log")
    assert not operations.read_log(client, "capture")
    assert not [r for r in operations.read_log(client, "rejected") if "burst" in str(r.content)]
    left = client.client("sqs").get_queue_attributes(
        QueueUrl=client.outputs.dead_letter_queue_url,
        AttributeNames=["ApproximateNumberOfMessages"],
    )
    assert left["Attributes"]["ApproximateNumberOfMessages"] == "0"


@pytest.mark.parametrize(
    "payload",
    [b"not json", b'{"captures": []}', b'{"site": "s", "captures": [{"t0": 1}], "schema": 1}'],
)
def test_message_that_is_no_capture_is_kept_apart_with_a_reason(
    device: Device, client: operations.Cloud, tmp_path: Path, payload: bytes
) -> None:
    before = len(operations.read_log(client, "rejected"))
    held = operations.fetch_captures(client, tmp_path)
    device.publish(uplink(THING, "capture"), payload)
    wait_until(
        lambda: len(operations.read_log(client, "rejected")) > before, "a rejected line appears"
    )
    told = operations.read_log(client, "rejected")[-1].content
    assert told["reason"]
    assert operations.fetch_captures(client, tmp_path) == held


def test_fetching_again_downloads_nothing_and_mends_what_is_damaged(
    device: Device, client: operations.Cloud, tmp_path: Path
) -> None:
    device.publish(uplink(THING, "capture"), encode(batch("again")))
    wait_until(lambda: "again" in boots(client, tmp_path), "the capture is in the lake")
    held = operations.fetch_captures(client, tmp_path)
    paths = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(paths) == held
    before = [path.stat().st_ino for path in paths]
    damaged = paths[-1]
    damaged.write_bytes(bytes(len(damaged.read_bytes())))
    assert operations.fetch_captures(client, tmp_path) == held
    assert "again" in {capture.boot for line in lines(tmp_path) for capture in line.captures}
    assert [path.stat().st_ino for path in paths[:-1]] == before[:-1]
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == paths


def test_only_what_arrived_since_then_is_fetched(
    device: Device, client: operations.Cloud, tmp_path: Path
) -> None:
    device.publish(uplink(THING, "capture"), encode(batch("since")))
    wait_until(lambda: "since" in boots(client, tmp_path / "all"), "the capture is in the lake")
    assert operations.fetch_captures(client, tmp_path / "new", since=time.time() + 3600) == 0
    held = operations.fetch_captures(client, tmp_path / "old", since=time.time() - 3600)
    assert held == operations.fetch_captures(client, tmp_path / "all") > 0


def test_folder_that_cannot_be_written_is_named(
    device: Device, client: operations.Cloud, tmp_path: Path
) -> None:
    device.publish(uplink(THING, "capture"), encode(batch("unwritable")))
    wait_until(lambda: "unwritable" in boots(client, tmp_path / "ok"), "it is in the lake")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(GustbedError, match=r"file/\d{4}"):
        operations.fetch_captures(client, tmp_path / "file")


def test_lake_bucket_is_private_and_encrypted(client: operations.Cloud) -> None:
    s3, bucket = client.client("s3"), client.outputs.lake_bucket
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(block.values())


def test_emulator_holds_no_copy_of_what_was_delivered(
    cloud: LocalCloud, device: Device, client: operations.Cloud, tmp_path: Path
) -> None:
    device.publish(uplink(THING, "capture"), encode(batch("held")))
    wait_until(lambda: "held" in boots(client, tmp_path), "the capture is in the lake")
    state = cloud.folder / "emulator" / "state"
    before = state.readlink()
    # Something that the next snapshot must hold.
    device.publish(uplink(THING, "capture"), encode(batch("later")))
    wait_until(lambda: state.readlink() != before, "a snapshot was taken since")

    held: list[int] = []

    def look() -> bool:
        try:
            content = json.loads((state / "firehose.json").read_text())
        except FileNotFoundError:  # the snapshot was just replaced by the next
            return False
        streams = content["payload"]["_streams"]["data"].values()
        held.append(sum(len(d["records"]) for stream in streams for d in stream["destinations"]))
        return True

    wait_until(look, "the snapshot can be read")
    assert held == [0]
