"""A full or read-only disk below the local cloud: it says so, loses nothing, heals by itself."""

import base64
import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from awscrt.exceptions import AwsCrtError
from botocore import exceptions
from botocore.config import Config

from tests.support.cloud import Device, Identity, LocalCloud, local_cloud
from tests.support.ports import wait_until
from tests.support.small_disk import SmallDisk, needs_mount, read_only, small_disk

pytestmark = needs_mount
TOPIC = "device/edge-1/events"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "emulator") as mounted:
        yield mounted


@pytest.fixture
def registry_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "registry", 1) as mounted:
        yield mounted


@pytest.fixture
def cloud(tmp_path: Path, disk: SmallDisk, registry_disk: SmallDisk) -> Iterator[LocalCloud]:
    assert disk.folder != registry_disk.folder
    with local_cloud(tmp_path, deploy=False) as running:
        yield running


def health(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def emulator_health(cloud: LocalCloud) -> tuple[int, str]:
    return health(f"{cloud.url}/_ministack/ready")


def registry_health(cloud: LocalCloud) -> tuple[int, str]:
    return health(f"http://127.0.0.1:{cloud.registry_port}/health")


def things() -> set[str]:
    return {thing["thingName"] for thing in boto3.client("iot").list_things()["things"]}


def saved(cloud: LocalCloud, thing: str) -> bool:
    state = cloud.folder / "emulator" / "state" / "iot.json"
    return state.exists() and thing in state.read_text()


def device(cloud: LocalCloud) -> Identity:
    """A device that may do everything."""
    iot = boto3.client("iot")
    made = iot.create_keys_and_certificate(setAsActive=True)
    allow = {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iot.create_policy(policyName="everything", policyDocument=document)
    iot.attach_policy(policyName="everything", target=made["certificateArn"])
    folder = cloud.folder / "device"
    folder.mkdir()
    key = folder / "key.pem"
    key.write_text(made["keyPair"]["PrivateKey"])
    (folder / "certificate.pem").write_text(made["certificatePem"])
    _, ca = health(f"{cloud.url}/_ministack/iot/ca.pem")
    (folder / "ca.pem").write_text(ca)
    endpoint = {"host": "127.0.0.1", "port": cloud.mtls_port}
    (folder / "endpoint.json").write_text(json.dumps(endpoint))
    return Identity("edge-1", folder, key, folder / "request.csr")


def accepted(edge: Device, content: bytes) -> bool:
    """Whether the cloud acknowledged a message."""
    try:
        edge.publish(TOPIC, content)
    except (AwsCrtError, TimeoutError):
        return False
    return True


@pytest.mark.promise("T4")
def test_the_emulator_goes_on_over_a_full_disk_and_keeps_all_of_it_once_there_is_room(
    cloud: LocalCloud, disk: SmallDisk
) -> None:
    iot = boto3.client("iot")
    iot.create_thing(thingName="before")
    wait_until(lambda: saved(cloud, "before"), "it is on the disk")
    disk.fill()
    iot.create_thing(thingName="meanwhile")
    wait_until(lambda: emulator_health(cloud)[0] == 503, "health says that nothing is kept")
    reason = emulator_health(cloud)[1]
    assert str(disk.folder) in reason
    assert "No space left" in reason
    assert things() == {"before", "meanwhile"}
    disk.make_room()
    wait_until(lambda: emulator_health(cloud)[0] == 200, "all is well without a person")
    wait_until(lambda: saved(cloud, "meanwhile"), "what came meanwhile is on the disk")
    cloud.stop(signal.SIGKILL)
    cloud.start_emulator()
    assert things() == {"before", "meanwhile"}


def test_a_read_only_disk_is_named_and_no_more_than_that(
    cloud: LocalCloud, disk: SmallDisk
) -> None:
    iot = boto3.client("iot")
    with read_only(disk.folder):
        iot.create_thing(thingName="meanwhile")
        wait_until(lambda: emulator_health(cloud)[0] == 503, "health says that nothing is kept")
        assert "Read-only" in emulator_health(cloud)[1]
    wait_until(lambda: emulator_health(cloud)[0] == 200, "all is well without a person")


@pytest.mark.promise("T2")
def test_a_message_that_cannot_be_kept_is_acknowledged_once_it_can(
    cloud: LocalCloud, disk: SmallDisk
) -> None:
    with Device(device(cloud)) as edge:
        edge.publish(TOPIC, {"n": 1})
        disk.fill()
        # Longer than what is left of the page that the first one lies on.
        long = json.dumps({"n": 2, "text": "x" * 10_000}).encode()
        assert not accepted(edge, long)
        wait_until(lambda: emulator_health(cloud)[0] == 503, "health says that nothing is kept")
        disk.make_room()
        wait_until(lambda: accepted(edge, long), "sent again, it is accepted", 60)
    kept = "".join(path.read_text() for path in (disk.folder / "messages").iterdir())
    texts = [base64.b64decode(json.loads(line)[3]) for line in kept.splitlines()]
    assert long in texts, "it is whole, and so is every line beside it"


@pytest.mark.promise("T4")
def test_the_registry_refuses_what_it_cannot_keep_and_answers_questions(
    cloud: LocalCloud, registry_disk: SmallDisk
) -> None:
    once = Config(retries={"total_max_attempts": 1})
    registry: Any = boto3.client("sagemaker", config=once)

    def groups() -> set[str]:
        found = registry.list_model_package_groups()["ModelPackageGroupSummaryList"]
        return {group["ModelPackageGroupName"] for group in found}

    registry.create_model_package_group(ModelPackageGroupName="before")
    registry_disk.fill()
    with pytest.raises(exceptions.ClientError, match=r"No space left") as refused:
        registry.create_model_package_group(ModelPackageGroupName="refused")
    assert refused.value.response["Error"]["Code"] == "ServiceUnavailableException"
    status, reason = registry_health(cloud)
    assert status == 503
    assert str(registry_disk.folder) in reason
    assert groups() == {"before"}
    registry_disk.make_room()
    assert registry_health(cloud)[0] == 200
    registry.create_model_package_group(ModelPackageGroupName="after")
    cloud.stop(signal.SIGKILL)
    cloud.start_emulator()
    cloud.start_registry()
    assert groups() == {"before", "after"}
