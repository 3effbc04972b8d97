"""Who gets a certificate: first keys, changed keys, revoked ones, and devices that are no edges."""

import json
import shutil
from functools import partial

import boto3
import msgspec
import pytest
from awscrt.exceptions import AwsCrtError
from cryptography import x509

from gustbed_core.enrolment import REFUSAL, Endpoint
from tests.support.cloud import Device, Identity, LocalCloud, ask_to_enrol, enrolled, local_cloud
from tests.support.ports import wait_until

STRICT = {"GUSTBED_ENROL": "site", "GUSTBED_DEPLOY": "false"}
"""What a site of a real cloud has."""


def certificate(identity: Identity) -> bytes:
    return (identity.folder / "certificate.pem").read_bytes()


def set_status(identity: Identity, status: str) -> None:
    """Change the device's certificate as an operator does in the console."""
    iot = boto3.client("iot")
    (arn,) = iot.list_thing_principals(thingName=identity.thing)["principals"]
    iot.update_certificate(certificateId=arn.rsplit("/", 1)[-1], newStatus=status)


def in_fleet(cloud: LocalCloud, identity: Identity) -> bool:
    group = cloud.connect().outputs.thing_group_name
    things = boto3.client("iot").list_things_in_thing_group(thingGroupName=group)["things"]
    return identity.thing in things


@pytest.mark.promise("S1")
def test_request_in_another_things_folder_gets_no_certificate(cloud: LocalCloud) -> None:
    victim = enrolled(cloud, "gustbed-victim")
    before = certificate(victim)
    ask_to_enrol(cloud, "gustbed-victim", common_name="gustbed-thief")
    done = cloud.run("enrol", "gustbed-victim", "--replace-key")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "'gustbed-thief', not 'gustbed-victim'" in done.stderr
    assert certificate(victim) == before
    victim.request.unlink()


@pytest.mark.promise("S1")
def test_changed_key_waits_for_an_operator_and_the_device_stays_connected(
    cloud: LocalCloud,
) -> None:
    first = enrolled(cloud, "gustbed-site-1")
    key = first.key.read_bytes()
    before = certificate(first)
    with Device(first) as device:
        thief = ask_to_enrol(cloud, "gustbed-site-1")
        for command in (("provision",), ("enrol", "gustbed-site-1")):
            refused = cloud.run(*command, **STRICT)
            assert refused.returncode == 1
            assert len(refused.stderr.splitlines()) == 1
            assert "`gustbed enrol gustbed-site-1 --replace-key`" in refused.stderr
        assert certificate(first) == before
        assert "another key" in (first.folder / REFUSAL).read_text()
        device.publish("device/gustbed-site-1/logs", {"type": "still here"})
    done = cloud.run("enrol", "gustbed-site-1", "--replace-key", **STRICT)
    assert done.returncode == 0, done.stderr
    with Device(thief):
        pass
    assert not (first.folder / REFUSAL).exists()
    # A device has one identity: the earlier certificate is gone.
    assert len(boto3.client("iot").list_thing_principals(thingName=first.thing)["principals"]) == 1
    thief.key.write_bytes(key)
    (first.folder / "certificate.pem").write_bytes(before)
    with pytest.raises(AwsCrtError), Device(thief):
        pass


@pytest.mark.promise("S1")
def test_second_provisioner_agrees_on_the_key_and_gives_the_same_certificate(
    cloud: LocalCloud,
) -> None:
    identity = enrolled(cloud, "gustbed-moved")
    elsewhere = cloud.folder / "elsewhere"
    shutil.copytree(cloud.enrol_dir / "requests", elsewhere / "requests")
    done = cloud.run("enrol", "gustbed-moved", **STRICT, GUSTBED_ENROL_DIR=str(elsewhere))
    assert "enrolled already" in done.stdout, done.stderr
    answered = elsewhere / "answers" / "gustbed-moved" / "certificate.pem"
    assert answered.read_bytes() == certificate(identity)
    ask_to_enrol(cloud, "gustbed-moved")
    shutil.copytree(cloud.enrol_dir / "requests", elsewhere / "requests", dirs_exist_ok=True)
    shutil.rmtree(elsewhere / "records")
    refused = cloud.run("enrol", "gustbed-moved", **STRICT, GUSTBED_ENROL_DIR=str(elsewhere))
    assert "another key" in refused.stderr


@pytest.mark.promise("S7")
def test_deactivated_device_is_cut_off_and_stays_out_until_it_is_enrolled_anew(
    cloud: LocalCloud,
) -> None:
    identity = enrolled(cloud, "gustbed-inactive")
    before = certificate(identity)
    with Device(identity) as device:
        set_status(identity, "INACTIVE")
        wait_until(lambda: device.interrupted, "its session is cut")
    assert cloud.run("provision").returncode == 1
    refused = cloud.run("enrol", identity.thing, "--replace-key")
    assert refused.returncode == 1
    assert "revoked" in refused.stderr
    assert certificate(identity) == before
    assert "private-key.pem" in (identity.folder / REFUSAL).read_text()
    with pytest.raises(AwsCrtError), Device(identity):
        pass
    anew = ask_to_enrol(cloud, identity.thing)
    assert cloud.run("provision").returncode == 1, "a new key alone is not enough"
    assert cloud.run("enrol", anew.thing, "--replace-key").returncode == 0
    with Device(anew):
        pass


@pytest.mark.promise("S7")
@pytest.mark.promise("T4")
def test_emulator_that_lost_everything_knows_its_devices_and_who_is_out(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with local_cloud(tmp_path_factory.mktemp("lost")) as own:
        good, bad = enrolled(own, "gustbed-site-1"), enrolled(own, "gustbed-site-2")
        pump = enrolled(own, "pump-7", "--role", "device")
        before = certificate(bad)
        set_status(bad, "REVOKED")
        assert own.run("provision").returncode == 1
        own.stop()
        shutil.rmtree(own.folder / "emulator")
        own.start_emulator()
        own.start_registry()
        refused = own.run("provision")
        assert "gustbed-site-2: not enrolled" in refused.stderr
        for identity in (good, pump):
            with Device(identity):
                pass
        assert not in_fleet(own, pump)
        assert certificate(bad) == before
        things = [thing["thingName"] for thing in boto3.client("iot").list_things()["things"]]
        assert sorted(things) == [good.thing, pump.thing]


@pytest.mark.promise("O10")
def test_device_that_is_no_edge_gets_identity_and_topics_and_no_rollouts(
    cloud: LocalCloud,
) -> None:
    asked = ask_to_enrol(cloud, "pump-1")
    refused = cloud.run("provision")
    assert "`gustbed enrol pump-1`, with --role device" in refused.stderr
    assert cloud.run("enrol", "pump-1", "--role", "device").returncode == 0
    assert not in_fleet(cloud, asked)
    with Device(asked) as device:
        device.publish("device/pump-1/logs", {"type": "inference", "anomalies": [0.0]})
        device.subscribe("$aws/things/pump-1/jobs/notify-next")
        device.publish("$aws/things/pump-1/jobs/start-next", {})
    for topic in ("device/pump-1/capture", "device/gustbed-site-1/logs"):
        with Device(asked) as device, pytest.raises(AwsCrtError):
            device.publish(topic, {})
    # It keeps its role, whoever looks at it again.
    cloud.run("provision")
    assert not in_fleet(cloud, asked)


@pytest.mark.promise("O10")
def test_role_can_be_changed_both_ways(cloud: LocalCloud) -> None:
    identity = enrolled(cloud, "gustbed-changing")
    wait_until(lambda: in_fleet(cloud, identity), "it is in the group")
    assert cloud.run("enrol", identity.thing, "--role", "device").returncode == 0
    assert not in_fleet(cloud, identity)
    with Device(identity) as device, pytest.raises(AwsCrtError):
        device.publish(f"device/{identity.thing}/verdicts", {})
    assert cloud.run("enrol", identity.thing, "--role", "edge").returncode == 0
    assert in_fleet(cloud, identity)
    with Device(identity) as device:
        device.publish(f"device/{identity.thing}/verdicts", {})


def test_answer_says_whom_to_obey_and_where_packages_come_from(cloud: LocalCloud) -> None:
    edge = enrolled(cloud, "gustbed-told")
    pump = enrolled(cloud, "pump-2", "--role", "device")
    told = msgspec.json.decode((edge.folder / "endpoint.json").read_bytes(), type=Endpoint)
    outputs = cloud.connect().outputs
    assert told.targets == (outputs.thing_group_name,)
    assert told.downloads == (f"127.0.0.1:{cloud.port}",)
    assert json.loads((pump.folder / "endpoint.json").read_text())["targets"] == []
    pem = x509.load_pem_x509_certificate(certificate(edge))
    assert pem.not_valid_after_utc.year > 2040


@pytest.mark.promise("O10")
def test_two_stacks_of_one_region_take_their_own_things_messages_only(cloud: LocalCloud) -> None:
    near = cloud.run("deploy", GUSTBED_STACK="gustbed-2")
    assert near.returncode == 1
    assert "one name may not begin the other: set GUSTBED_STACK" in near.stderr
    other = {"GUSTBED_STACK": "otherfarm"}
    assert cloud.run("deploy", **other).returncode == 0
    ours, theirs = enrolled(cloud, "gustbed-ours"), ask_to_enrol(cloud, "gustbed-theirs")
    assert cloud.run("enrol", theirs.thing, **other).returncode == 0
    for identity in (ours, theirs):
        with Device(identity) as device:
            device.publish(f"device/{identity.thing}/logs", {"type": "which"})
    logs, sqs = boto3.client("logs"), boto3.client("sqs")

    def streams(stack: str) -> set[str]:
        found = logs.describe_log_streams(logGroupName=f"/{stack}/fleet")["logStreams"]
        return {stream["logStreamName"] for stream in found}

    def waiting(stack: str) -> int:
        url = sqs.get_queue_url(QueueName=f"{stack}-ingest")["QueueUrl"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    wait_until(lambda: f"{ours.thing}/logs" in streams("gustbed"), "ours has come")
    wait_until(lambda: f"{theirs.thing}/logs" in streams("otherfarm"), "theirs has come")
    for stack in ("gustbed", "otherfarm"):
        wait_until(partial(lambda name: waiting(name) == 0, stack), "everything has been handled")
    assert f"{theirs.thing}/logs" not in streams("gustbed")
    assert f"{ours.thing}/logs" not in streams("otherfarm")
    done = cloud.run("destroy", "--yes", **other)
    assert "stack otherfarm: gone, nothing left" in done.stdout, done.stderr
    assert streams("gustbed")
    with Device(ours):
        pass


def test_retired_device_is_gone_and_its_name_is_free_for_another(cloud: LocalCloud) -> None:
    first = enrolled(cloud, "gustbed-south")
    with Device(first) as device:
        first.request.unlink()
        done = cloud.run("retire", first.thing, **STRICT)
        assert done.returncode == 0, done.stderr
        wait_until(lambda: device.interrupted, "its session is cut", 30)
    iot = boto3.client("iot")
    assert first.thing not in {row["thingName"] for row in iot.list_things()["things"]}
    assert not first.folder.exists()

    # Another machine of that name is as new as the first was, whatever its key.
    ask_to_enrol(cloud, first.thing)
    assert cloud.run("enrol", first.thing, **STRICT).returncode == 0
    # Nothing of a thing that is unknown is no error: it can be done again.
    for _ in range(2):
        assert cloud.run("retire", first.thing, **STRICT).returncode == 0


def test_thing_of_another_stack_is_not_retired(cloud: LocalCloud) -> None:
    theirs = enrolled(cloud, "gustbed-theirs")
    boto3.client("iot").update_thing(
        thingName=theirs.thing, attributePayload={"attributes": {"stack": "other"}, "merge": True}
    )
    done = cloud.run("retire", theirs.thing)
    assert done.returncode == 1
    assert "other" in done.stderr
    assert theirs.folder.exists()
