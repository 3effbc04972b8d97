"""Taking down at AWS, where detaching and deleting go on after they are answered."""

from types import SimpleNamespace
from typing import Any

import pytest

from gustbed_cloud import teardown
from tests.support.aws_contract import modelled

CERTIFICATE = "arn:aws:iot:eu-central-1:1:cert/abc"


class ConflictError(Exception):
    """DeleteConflictException."""


class InvalidError(Exception):
    """InvalidRequestException."""


class SlowIot:
    """AWS IoT: a detached certificate stays attached for some more calls."""

    exceptions = SimpleNamespace(
        DeleteConflictException=ConflictError, InvalidRequestException=InvalidError
    )

    def __init__(self, calls: int) -> None:
        self.left = calls
        self.done: list[str] = []

    def update_certificate(self, certificateId: str, newStatus: str) -> None:  # noqa: N803
        self.done.append(newStatus)

    def detach_thing_principal(self, **_: str) -> None:
        self.done.append("detached")

    def delete_certificate(self, **_: Any) -> None:
        self.left -= 1
        if self.left >= 0:
            raise ConflictError("Things must be detached before deletion")
        self.done.append("deleted")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teardown, "PAUSE", 0.0)


def test_certificate_is_deleted_once_aws_has_detached_it() -> None:
    iot = SlowIot(3)
    teardown.remove_certificate(iot, "gustbed-site-1", CERTIFICATE)
    assert iot.done == ["INACTIVE", "detached", "deleted"]


def test_certificate_that_is_never_detached_is_an_error_at_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(teardown, "SETTLE_SECONDS", 0.0)
    with pytest.raises(ConflictError):
        teardown.remove_certificate(SlowIot(10**9), "gustbed-site-1", CERTIFICATE)


class Cloud:
    """Services of a stack that holds one stream, as they answer while it is taken down."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.describes = 2
        self.deletions = 0
        gone = type("GoneError", (Exception,), {})
        self._gone = gone
        self.exceptions = SimpleNamespace(ResourceNotFoundException=gone)

    def client(self, _service: str) -> "Cloud":
        return self

    def describe_stack_resources(self, **_: str) -> dict[str, Any]:
        kind = "AWS::KinesisFirehose::DeliveryStream"
        row = {"ResourceType": kind, "PhysicalResourceId": "gustbed-lake"}
        return {"StackResources": [row]}

    def delete_delivery_stream(self, **_: Any) -> None:
        self.order.append("stream")

    def describe_delivery_stream(self, **_: str) -> None:
        self.describes -= 1
        if self.describes < 0:
            self.order.append("stream gone")
            raise self._gone

    def delete_stack(self, **_: str) -> None:
        self.order.append("stack")


def test_stream_is_gone_before_its_bucket_is_emptied_and_the_stack_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud: Any = Cloud()
    monkeypatch.setattr(teardown, "_empty", lambda *_: cloud.order.append("emptied"))
    answers = iter([{"StackStatus": "DELETE_FAILED"}, None])
    monkeypatch.setattr(teardown, "wait", lambda *_: next(answers))
    teardown._delete_streams(cloud, "gustbed", lambda _: None)
    teardown._delete_stack(cloud, "gustbed", ["gustbed-lake-1"], lambda _: None)
    # Twice, for the stream's last delivery came in between.
    assert cloud.order == ["stream", "stream gone", "emptied", "stack", "emptied", "stack"]


@modelled("logs")
class LateLogs:
    """Log groups, of which a function's last words have made one again."""

    exceptions = SimpleNamespace(ResourceNotFoundException=KeyError)

    def __init__(self, *names: str) -> None:
        self.names = set(names)

    def describe_log_groups(self, logGroupNamePrefix: str) -> dict[str, Any]:  # noqa: N803
        found = (name for name in self.names if name.startswith(logGroupNamePrefix))
        return {"logGroups": [{"logGroupName": name} for name in found]}

    def delete_log_group(self, logGroupName: str) -> None:  # noqa: N803
        self.names.remove(logGroupName)


def test_log_group_that_a_functions_last_words_made_again_is_deleted() -> None:
    logs = LateLogs("/aws/lambda/gustbed-alert", "/aws/lambda/gustbed-alert-of-others")
    said: list[str] = []
    names = ["/aws/lambda/gustbed-alert", "/gustbed/fleet"]
    teardown._remove_log_groups(logs, names, said.append)
    assert logs.names == {"/aws/lambda/gustbed-alert-of-others"}
    assert said == ["log group /aws/lambda/gustbed-alert: deleted"]
