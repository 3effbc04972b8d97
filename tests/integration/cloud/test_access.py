"""The local cloud serves who holds its key, and keeps its secrets to itself."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED, exceptions
from botocore.config import Config

from tests.support.cloud import LocalCloud, local_cloud

CALLS = [
    ("s3", "list_buckets"),
    ("iot", "list_things"),
    ("logs", "describe_log_groups"),
    ("kms", "list_keys"),
    ("sts", "get_caller_identity"),
    ("lambda", "list_functions"),
    ("sqs", "list_queues"),
    ("iam", "list_roles"),
    ("cloudformation", "list_stacks"),
    ("sagemaker", "list_model_package_groups"),
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """An empty cloud whose data folder others could read before."""
    folder = tmp_path_factory.mktemp("cloud")
    (folder / "emulator").mkdir(mode=0o755)
    (folder / "emulator" / "old-key.json").touch(mode=0o644)
    with local_cloud(folder, deploy=False) as running:
        yield running


def client(service: str, key: str, secret: str) -> Any:
    """A client with a key of its own choice, which does not try again."""
    return boto3.client(
        service,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.mark.parametrize(("service", "call"), CALLS)
def test_only_the_homes_key_is_taken(cloud: LocalCloud, service: str, call: str) -> None:
    getattr(client(service, cloud.access_key, cloud.secret), call)()
    strangers = {
        "what everybody knows": ("test", "test"),
        "an account as a key": ("000000000000", cloud.secret),
        "a key that was made up": ("AKIAIOSFODNN7NOTHING", cloud.secret),
        "the right key, another secret": (cloud.access_key, "guessed"),
    }
    for who, (key, secret) in strangers.items():
        with pytest.raises(exceptions.ClientError) as refused:
            getattr(client(service, key, secret), call)()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403), who
        assert refused.value.response["Error"]["Code"] in {
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        }, who
    unsigned = boto3.client(service, config=Config(signature_version=UNSIGNED))
    with pytest.raises(exceptions.ClientError):
        getattr(unsigned, call)()


def test_a_functions_session_is_taken_by_the_registry_too(cloud: LocalCloud) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = client("iam", cloud.access_key, cloud.secret)
    role = iam.create_role(RoleName="function", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    sts = client("sts", cloud.access_key, cloud.secret)
    session = sts.assume_role(RoleArn=role, RoleSessionName="one")["Credentials"]

    def groups(secret: str, token: str) -> Any:
        registry = boto3.client(
            "sagemaker",
            aws_access_key_id=session["AccessKeyId"],
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}),
        )
        return registry.list_model_package_groups()

    groups(session["SecretAccessKey"], session["SessionToken"])
    for secret, token in (("guessed", session["SessionToken"]), (session["SecretAccessKey"], "no")):
        with pytest.raises(exceptions.ClientError):
            groups(secret, token)


def ask(url: str, method: str = "GET") -> tuple[int, bytes]:
    """Status and body."""
    request = urllib.request.Request(url, method=method)  # noqa: S310 - the emulator's address
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_a_presigned_address_works_as_long_as_nobody_changed_it(cloud: LocalCloud) -> None:
    s3 = client("s3", cloud.access_key, cloud.secret)
    s3.create_bucket(
        Bucket="packages", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    s3.put_object(Bucket="packages", Key="a", Body=b"model")
    s3.put_object(Bucket="packages", Key="b", Body=b"another")
    signed = {"Bucket": "packages", "Key": "a"}
    url = s3.generate_presigned_url("get_object", Params=signed, ExpiresIn=60)
    assert ask(url) == (200, b"model")
    assert ask(url.replace("/a?", "/b?"))[0] == 403
    assert ask(url.partition("?")[0])[0] == 403


@pytest.mark.parametrize("path", ["reset", "config", "sqs/messages"])
def test_the_emulators_back_doors_are_shut(cloud: LocalCloud, path: str) -> None:
    for method in ("POST", "GET"):
        assert ask(f"{cloud.url}/_ministack/{path}", method)[0] == 403


@pytest.mark.promise("S4")
def test_nobody_else_may_read_what_the_local_cloud_keeps(cloud: LocalCloud) -> None:
    client("kms", cloud.access_key, cloud.secret).create_key()
    client("iot", cloud.access_key, cloud.secret).create_keys_and_certificate(setAsActive=True)
    client("sagemaker", cloud.access_key, cloud.secret).create_model_package_group(
        ModelPackageGroupName="mine"
    )
    cloud.stop()
    cloud.start_emulator()
    cloud.start_registry()
    kept = [path for name in ("emulator", "registry") for path in walk(cloud.folder / name)]
    assert [path for path in kept if b"PRIVATE KEY" in path.read_bytes()], "keys lie on the disk"
    open_to_others = [path for path in kept if path.stat().st_mode & 0o077]
    assert not open_to_others


def walk(folder: Path) -> list[Path]:
    """Every file below a folder."""
    return [Path(root) / name for root, _, names in os.walk(folder) for name in names]
