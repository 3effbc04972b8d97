"""The Lambda handlers as modules, and fakes of the clients that they are given."""

import importlib.util
import io
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

CLOUD = Path(__file__).resolve().parents[3] / "services" / "cloud" / "gustbed_cloud"


def load(name: str) -> ModuleType:
    """Import ``functions/<name>/handler.py``, whose name all handlers share."""
    shared = str(CLOUD / "functions")
    if shared not in sys.path:
        # In an archive it lies beside the handler.
        sys.path.append(shared)
    return load_file(f"handler_{name}", CLOUD / "functions" / name / "handler.py")


def load_file(name: str, path: Path) -> ModuleType:
    """Import a file that belongs to no package."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class MissingError(Exception):
    """What a fake raises for something that is not there."""


class ExistsError(Exception):
    """What a fake raises for something that is there already."""


class FakeLogs:
    """CloudWatch Logs that keeps lines by stream and knows its limits."""

    exceptions = SimpleNamespace(
        ResourceNotFoundException=MissingError, ResourceAlreadyExistsException=ExistsError
    )

    def __init__(self) -> None:
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
    ) -> None:
        if logStreamName in self.broken:
            raise RuntimeError("throttled")
        if logStreamName not in self.streams:
            raise MissingError
        times = [event["timestamp"] for event in logEvents]
        assert times == sorted(times)
        assert times[-1] - times[0] < 24 * 3600 * 1000
        assert len(logEvents) <= 10_000
        assert sum(len(event["message"].encode()) + 26 for event in logEvents) <= 1_048_576
        self.streams[logStreamName] += logEvents

    def lines(self, stream: str) -> list[dict[str, Any]]:
        """What a stream holds, parsed."""
        return [json.loads(event["message"]) for event in self.streams.get(stream, [])]


class FakeS3:
    """S3 in a dictionary that remembers the order of writing."""

    exceptions = SimpleNamespace(NoSuchKey=MissingError)

    def __init__(self, **objects: bytes) -> None:
        self.objects: dict[str, bytes] = dict(objects)
        self.written: list[str] = []

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        if Key not in self.objects:
            raise MissingError(Key)
        data = self.objects[Key]
        return {"Body": io.BytesIO(data), "ContentLength": len(data)}

    def put_object(self, Bucket: str, Key: str, Body: bytes, **_: str) -> None:  # noqa: N803
        self.objects[Key] = Body
        self.written.append(Key)


def queued(*bodies: object) -> dict[str, Any]:
    """An SQS batch as Lambda gets it."""
    texts = (body if isinstance(body, str) else json.dumps(body) for body in bodies)
    return {"Records": [{"messageId": f"m{i}", "body": text} for i, text in enumerate(texts)]}
