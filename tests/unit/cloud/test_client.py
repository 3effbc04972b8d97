"""The Python side: readable errors, requests, folding of events, settings."""

from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as aws

from gustbed_cloud.aws import readable_errors
from gustbed_cloud.enrol import write_whole
from gustbed_cloud.logs import fold
from gustbed_cloud.outputs import from_description
from gustbed_cloud.settings import CloudSettings
from gustbed_core.errors import GustbedError
from gustbed_core.settings import load


def answer(code: str, message: str = "no") -> aws.ClientError:
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, "CreateJob")


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (aws.NoCredentialsError(), "AWS_PROFILE"),
        (aws.NoRegionError(), "AWS_REGION"),
        (aws.EndpointConnectionError(endpoint_url="http://x"), "AWS_ENDPOINT_URL"),
        (aws.ConnectTimeoutError(endpoint_url="http://x"), "AWS_ENDPOINT_URL"),
        (aws.ProfileNotFound(profile="x"), "AWS_PROFILE"),
        (answer("AccessDeniedException"), "CreateJob"),
        (answer("ExpiredTokenException"), "log in again"),
        (answer("InvalidAccessKeyId"), "AWS_ACCESS_KEY_ID"),
        (answer("ThrottlingException"), "ThrottlingException"),
        (ValueError("Invalid endpoint: nonsense"), "AWS_ENDPOINT_URL"),
    ],
)
def test_failures_of_aws_are_one_line_that_names_the_mend(error: Exception, named: str) -> None:
    with pytest.raises(GustbedError) as caught, readable_errors():
        raise error
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_errors_that_are_not_of_aws_are_left_alone() -> None:
    with pytest.raises(ValueError, match="something else"), readable_errors():
        raise ValueError("something else")


def test_equal_content_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    write_whole(path, b"one")
    before = path.stat().st_ino
    write_whole(path, b"one")
    assert path.stat().st_ino == before
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def row(id_: str, change: str, peak: float, closed: float | None = None) -> dict[str, Any]:
    return {
        "id": id_,
        "site": "s",
        "thing": "t",
        "turbine": "wt01",
        "kind": "voltage",
        "opened": 10.0,
        "closed": closed,
        "peak_score": peak,
        "model": {"name": "m", "version": "1.0.0"},
        "change": change,
    }


def test_events_fold_to_their_latest_state_whatever_the_order() -> None:
    opened, updated, closed = (
        row("a", "opened", 1.5),
        row("a", "updated", 3.0),
        row("a", "closed", 3.0, 20.0),
    )
    for rows in ([opened, updated, closed], [closed, opened, updated, closed]):
        (event,) = fold(rows)
        assert (event.change, event.closed, event.peak_score) == ("closed", 20.0, 3.0)
    (event,) = fold([updated, row("a", "updated", 2.0), opened])
    assert (event.change, event.peak_score) == ("updated", 3.0)


def test_rows_that_are_no_events_are_left_out() -> None:
    assert [event.id for event in fold([{"id": "x"}, row("a", "opened", 2.0), {}])] == ["a"]


@pytest.mark.parametrize("name", ["Gustbed", "1st", "a_b", "x" * 40, "ends with space "])
def test_stack_name_that_cannot_name_a_bucket_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUSTBED_STACK", name)
    with pytest.raises(GustbedError, match="GUSTBED_STACK"):
        load(CloudSettings)


def test_stack_without_an_output_is_named() -> None:
    with pytest.raises(GustbedError, match="no output AlertQueueUrl"):
        from_description({"StackName": "gustbed", "StackStatus": "CREATE_FAILED"})
