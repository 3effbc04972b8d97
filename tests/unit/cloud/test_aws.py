"""The standard AWS configuration, and one-line errors where it falls short."""

import json
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

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


@pytest.mark.promise("P0")
def test_empty_profile_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_PROFILE", "")
    assert open_session().boto.get_credentials().access_key == "id"


@pytest.mark.promise("P0")
def test_profile_that_is_not_there_is_one_line_with_the_mend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_PROFILE", "farm")
    with pytest.raises(GustbedError, match=r"farm.*GUSTBED_AWS_DIR") as failed:
        open_session()
    assert "\n" not in str(failed.value)


def test_configuration_that_may_not_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "config"
    secret.write_text("[profile farm]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(secret))
    monkeypatch.setenv("AWS_PROFILE", "elsewhere")
    unpatched = Path.open

    def forbidden(path: Path, *args: Any, **options: Any) -> Any:
        if path == secret:  # As for root no file is.
            raise PermissionError
        return unpatched(path, *args, **options)

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(GustbedError, match=f"{secret} cannot be read by user"):
        open_session()


def test_credentials_that_expire_are_renewed_from_the_file_that_is_documented(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As docs/aws.md says: the host writes the file anew, `cat` hands it over."""
    file = tmp_path / "session.json"
    config = tmp_path / "config"
    config.write_text(f"[default]\nregion = eu-west-1\ncredential_process = cat {file}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    def log_in(key: str, minutes: float) -> None:
        until = datetime.now(UTC) + timedelta(minutes=minutes)
        keys = {"AccessKeyId": key, "SecretAccessKey": "s", "SessionToken": "t"}
        file.write_text(json.dumps({"Version": 1, **keys, "Expiration": until.isoformat()}))

    log_in("first", 5)
    credentials = open_session().boto.get_credentials()
    assert credentials.get_frozen_credentials().access_key == "first"
    log_in("second", 60)
    assert credentials.get_frozen_credentials().access_key == "second"


def test_expired_token_says_how_it_is_renewed() -> None:
    answer = {"Error": {"Code": "ExpiredToken", "Message": "The token has expired"}}
    expected = pytest.raises(GustbedError, match=r"expired: log in again.*docs/aws\.md")
    with expected, readable_errors():
        raise ClientError(answer, "DescribeStacks")


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
