"""The Lambda handlers as modules, and fakes of the clients that they are given."""

import importlib
import io
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from tests.support.aws_contract import modelled

CLOUD = Path(__file__).resolve().parents[3] / "services" / "cloud" / "gustbed_cloud"


def load(name: str) -> ModuleType:
    """Import ``functions/<name>/handler.py`` as its archive does."""
    return load_from(CLOUD / "functions", f"{name}.handler")


def load_from(folder: Path, name: str) -> ModuleType:
    """Import a module from a folder that is not installed."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    return importlib.import_module(name)


class MissingError(Exception):
    """What a fake raises for something that is not there."""


class ExistsError(Exception):
    """What a fake raises for something that is there already."""


@modelled("logs")
class FakeLogs:
    """CloudWatch Logs that keeps lines by stream and knows its limits."""

    exceptions = SimpleNamespace(
        ResourceNotFoundException=MissingError, ResourceAlreadyExistsException=ExistsError
    )

    def __init__(self, now: float = 0.0, retention_days: float = 30) -> None:
        self.now = now
        self.retention_days = retention_days
        self.streams: dict[str, list[dict[str, Any]]] = {}
        self.broken: set[str] = set()

    def create_log_stream(self, logGroupName: str, logStreamName: str) -> None:  # noqa: N803
        if logStreamName in self.streams:
            raise ExistsError
        self.streams[logStreamName] = []

    def put_log_events(
        self,
        logGroupName: str,  # noqa: N803
        logStreamName: str,  # noqa: N803
        logEvents: list[dict[str, Any]],  # noqa: N803
    ) -> dict[str, Any]:
        if logStreamName in self.broken:
            raise RuntimeError("throttled")
        if logStreamName not in self.streams:
            raise MissingError
        times = [event["timestamp"] for event in logEvents]
        assert times == sorted(times)
        assert times[-1] - times[0] < 24 * 3600 * 1000
        assert len(logEvents) <= 10_000
        assert sum(len(event["message"].encode()) + 26 for event in logEvents) <= 1_048_576
        # Calls succeed though it takes only what is younger than the group's retention.
        oldest = self.now - self.retention_days * 86400
        expired = sum(event["timestamp"] / 1000 < oldest for event in logEvents)
        self.streams[logStreamName] += logEvents[expired:]
        info = {"expiredLogEventEndIndex": expired}
        return {"rejectedLogEventsInfo": info} if expired else {}

    def lines(self, stream: str) -> list[dict[str, Any]]:
        """What a stream holds, parsed."""
        return [json.loads(event["message"]) for event in self.streams.get(stream, [])]


@modelled("s3", paginate="ListObjectsV2")
class FakeS3:
    """S3 in a dictionary that remembers the order of writing."""

    exceptions = SimpleNamespace(NoSuchKey=MissingError, ClientError=ClientError)

    def __init__(self, **objects: bytes) -> None:
        self.objects: dict[str, bytes] = dict(objects)
        self.written: list[str] = []

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        if Key not in self.objects:
            raise MissingError(Key)
        data = self.objects[Key]
        return {"Body": io.BytesIO(data), "ContentLength": len(data)}

    def put_object(self, Bucket: str, Key: str, Body: bytes, **options: str) -> None:  # noqa: N803
        if "IfNoneMatch" in options and Key in self.objects:
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "PutObject")
        self.objects[Key] = Body
        self.written.append(Key)

    def get_paginator(self, name: str) -> "FakeS3":
        assert name == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803
        keys = sorted(key for key in self.objects if key.startswith(Prefix))
        return [{"Contents": [{"Key": key, "ETag": ""}]} for key in keys] or [{}]


def queued(*bodies: object) -> dict[str, Any]:
    """An SQS batch as Lambda gets it."""
    texts = (body if isinstance(body, str) else json.dumps(body) for body in bodies)
    return {"Records": [{"messageId": f"m{i}", "body": text} for i, text in enumerate(texts)]}
