"""The standard AWS configuration, and one-line errors where it falls short."""

import socket
import time

import pytest
from botocore.config import Config

from gustbed_cloud.aws import PATIENT, PROMPT, open_session, readable_errors
from gustbed_core.errors import GustbedError


@pytest.fixture(autouse=True)
def no_aws_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_either_standard_variable_gives_the_region(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "eu-west-1")
    assert open_session().region_name == "eu-west-1"


def test_a_missing_region_is_named() -> None:
    with pytest.raises(GustbedError, match="AWS_REGION"):
        open_session()


def test_missing_credentials_are_named_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(GustbedError, match="AWS_PROFILE"):
        open_session()


def test_cloud_that_hangs_is_an_error_after_the_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        client = open_session(PROMPT.merge(Config(read_timeout=0.05))).client("sts")
        started = time.monotonic()
        with pytest.raises(GustbedError, match="AWS_ENDPOINT_URL"), readable_errors():
            client.get_caller_identity()
    # Far below what a single one of boto3's own timeouts takes.
    assert time.monotonic() - started < 30


def test_a_person_waits_at_most_twenty_seconds_and_a_deployment_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def longest(config: Config) -> float:
        return float(config.read_timeout * config.retries["total_max_attempts"])

    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert longest(open_session().config) <= 20 < longest(open_session(PATIENT).config)
