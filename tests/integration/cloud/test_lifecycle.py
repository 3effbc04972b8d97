"""Deploying, restarting, being killed and being taken down."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

from gustbed_cloud import operations
from gustbed_cloud.bundle import FUNCTIONS
from gustbed_core.codec import encode
from gustbed_core.events import LogBatch, LogLine
from gustbed_core.topics import uplink
from tests.integration.cloud.rollouts import approve_in_console, register
from tests.support.cloud import (
    EMULATOR_PYTHON,
    ROOT,
    SCRIPTS,
    STACK,
    Device,
    LocalCloud,
    ask_to_enrol,
    enrolled,
    local_cloud,
    stop_process,
)
from tests.support.ports import wait_until


def said(client: operations.Cloud, text: str) -> bool:
    lines = operations.read_log(client, "logs")
    return any(line.content.get("message") == text for line in lines)


def test_stack_deployed_twice_changes_nothing(cloud: LocalCloud) -> None:
    formation = boto3.client("cloudformation")

    def history() -> list[str]:
        events = formation.describe_stack_events(StackName=STACK)["StackEvents"]
        return [event["EventId"] for event in events]

    before = history()
    done = cloud.run("deploy")
    assert (done.returncode, "up to date" in done.stdout) == (0, True), done.stderr
    assert history() == before


def test_changed_function_updates_the_stack_and_unchanged_ones_stay(
    own: LocalCloud, tmp_path: Path
) -> None:
    source = ROOT / "services" / "cloud" / "gustbed_cloud"
    changed = tmp_path / "changed"
    for path in (source / "functions").glob("*.py"):
        (changed / "functions").mkdir(parents=True, exist_ok=True)
        (changed / "functions" / path.name).write_text(path.read_text())
    for name in FUNCTIONS:
        folder = changed / "functions" / name
        folder.mkdir(parents=True)
        text = (source / "functions" / name / "handler.py").read_text()
        (folder / "handler.py").write_text(text + ("\n# changed\n" if name == "alert" else ""))
        for path in (source / "functions" / name).glob("*.py"):
            if path.name != "handler.py":
                (folder / path.name).write_text(path.read_text())
    (changed / "stack.yaml").write_text((source / "stack.yaml").read_text())
    functions = boto3.client("lambda")

    def hashes() -> dict[str, str]:
        rows = functions.list_functions()["Functions"]
        return {row["FunctionName"]: row["CodeSha256"] for row in rows}

    before = hashes()
    done = own.run("deploy", GUSTBED_CLOUD_DIR=str(changed))
    assert done.returncode == 0, done.stderr
    after = hashes()
    assert {name for name in after if after[name] != before[name]} == {"gustbed-alert"}


def test_failed_stack_says_why_and_is_cleared_away_by_the_next_deployment(tmp_path: Path) -> None:
    with local_cloud(tmp_path, deploy=False) as own:
        iot, formation = boto3.client("iot"), boto3.client("cloudformation")
        document = json.dumps({"Version": "2012-10-17", "Statement": []})
        iot.create_policy(policyName=f"{STACK}-edge", policyDocument=document)
        failed = own.run("deploy")
        assert failed.returncode == 1
        assert "DevicePolicy" in failed.stderr
        (stack,) = formation.describe_stacks(StackName=STACK)["Stacks"]
        assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
        iot.delete_policy(policyName=f"{STACK}-edge")
        done = own.run("deploy")
        assert done.returncode == 0, done.stderr
        assert own.connect().outputs.dashboard_name == STACK


def test_site_of_a_stack_that_is_not_there_is_told_to_deploy_it_and_deploys_nothing(
    tmp_path: Path,
) -> None:
    with local_cloud(tmp_path, deploy=False) as own:
        at_aws = {"GUSTBED_DEPLOY": "false", "GUSTBED_ENROL": "site", "GUSTBED_REBUILD": "false"}
        home = {"TARGET": "aws", "RUNTIME": "process", "GUSTBED_HOME": str(tmp_path / "home")}
        environment = {**os.environ, **own.environment, **at_aws, **home}
        for command in (["gustbed_cloud", "provision"], ["gustbed_cli", "up"]):
            done = subprocess.run(
                [sys.executable, "-m", *command],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 1
            assert "stack gustbed: not deployed: `gustbed deploy` does it" in done.stderr
            assert len(done.stderr.splitlines()) == 1
        assert boto3.client("cloudformation").list_stacks()["StackSummaries"] == []


def test_destroy_takes_everything_down(own: LocalCloud, tmp_path: Path) -> None:
    enrolled(own, "gustbed-site-1")
    enrolled(own, "pump-7", "--role", "device")
    client = own.connect()
    register(client, tmp_path, "1.0.0")
    operations.approve_model(client, "tiny", "1.0.0")
    wait_until(lambda: operations.list_jobs(client), "its rollout runs")
    enrolled(own, "gustbed-late")
    done = own.run("destroy", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"gustbed-cloud: stack {STACK}: gone, nothing left"
    assert boto3.client("iot").list_jobs()["jobs"] == []
    groups = client.client("sagemaker").list_model_package_groups()
    assert groups["ModelPackageGroupSummaryList"] == []
    assert boto3.client("logs").describe_log_groups()["logGroups"] == []
    assert boto3.client("firehose").list_delivery_streams()["DeliveryStreamNames"] == []
    assert boto3.client("s3").list_buckets()["Buckets"] == []
    assert boto3.client("iot").list_things()["things"] == []
    assert boto3.client("iot").list_certificates()["certificates"] == []
    assert boto3.client("lambda").list_functions()["Functions"] == []
    assert own.run("health").returncode == 1


def test_registry_survives_a_restart_with_the_same_versions(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    client = cloud.connect()
    for version in ("1.0.0", "1.1.0"):
        register(client, tmp_path, version, "lasting")
    operations.reject_model(client, "lasting", "1.0.0")
    before = operations.list_models(client)
    stop_process(cloud.registry, signal.SIGKILL)
    cloud.start_registry()
    assert operations.list_models(client) == before
    register(client, tmp_path, "1.2.0", "lasting")
    arns = [model.arn.rpartition("/")[2] for model in operations.list_models(client, "lasting")]
    assert arns == ["3", "2", "1"]


def test_registry_drops_a_line_that_a_crash_has_cut(cloud: LocalCloud, tmp_path: Path) -> None:
    client = cloud.connect()
    register(client, tmp_path, "1.0.0", "cut")
    stop_process(cloud.registry, signal.SIGKILL)
    with (cloud.folder / "registry" / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"at": "2026-01-01T00:00:00+00:00", "action": "Crea')
    cloud.start_registry()
    assert [model.version for model in operations.list_models(client, "cut")] == ["1.0.0"]


def test_approval_reaches_an_emulator_that_was_down(own: LocalCloud, tmp_path: Path) -> None:
    enrolled(own, "gustbed-site-1")
    client = own.connect()
    registered = register(client, tmp_path, "1.1.0")
    stop_process(own.emulator)
    approve_in_console(client, registered.arn, "Approved")
    stop_process(own.registry, signal.SIGKILL)
    own.start_registry()
    own.start_emulator()
    wait_until(lambda: operations.list_jobs(client), "the job exists")
    assert [job.version for job in operations.list_jobs(client)] == ["1.1.0"]


@pytest.mark.promise("T4")
@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM])
def test_ended_emulator_loses_no_acknowledged_message(
    own: LocalCloud, ended_by: signal.Signals
) -> None:
    identity = enrolled(own, "gustbed-site-1")
    for attempt in range(3):
        batch = LogBatch(identity.thing, "site-1", [LogLine(time.time(), "info", str(attempt))])
        with Device(identity) as device:
            device.publish(uplink(identity.thing, "logs"), encode(batch))
            stop_process(own.emulator, ended_by)
            own.start_emulator()
            # As the provisioner of a fleet does, should the stack have been lost.
            own.provision()
        # Much sooner than the queue would show it again of itself.
        wait_until(lambda text=str(attempt): said(own.connect(), text), "the line is in the logs")  # type: ignore[misc]


@pytest.mark.promise("T4")
def test_provisioner_heals_a_killed_and_a_wiped_emulator(own: LocalCloud) -> None:
    identity = enrolled(own, "gustbed-site-1")
    with Device(identity):
        pass
    stop_process(own.emulator, signal.SIGKILL)
    own.start_emulator()
    own.provision()
    with Device(identity):
        pass
    stop_process(own.emulator, signal.SIGKILL)
    (own.folder / "emulator").rename(own.folder / "lost")
    own.start_emulator()
    own.provision()
    with Device(identity):
        pass
    assert own.run("health").returncode == 0


def test_watching_provisioner_serves_who_comes_late_and_stops_when_told(tmp_path: Path) -> None:
    with local_cloud(tmp_path, deploy=False) as own:
        stop_process(own.emulator)
        with (tmp_path / "provisioner.log").open("wb") as log:
            watcher = subprocess.Popen(
                [sys.executable, "-m", "gustbed_cloud", "provision", "--watch", "--every", "0.2"],
                env={**os.environ, **own.environment},
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(lambda: "AWS_ENDPOINT_URL" in own.log("provisioner"), "it says what lacks")
            own.start_emulator()
            identity = ask_to_enrol(own, "gustbed-site-1")
            wait_until(lambda: (identity.folder / "certificate.pem").exists(), "the edge is in")
            with Device(identity):
                pass
            later = ask_to_enrol(own, "gustbed-site-2")
            wait_until(lambda: (later.folder / "certificate.pem").exists(), "the next edge is in")
            watcher.send_signal(signal.SIGTERM)
            assert watcher.wait(30) == 0
        finally:
            stop_process(watcher)
        assert "Traceback" not in own.log("provisioner")


@pytest.mark.promise("T4")
def test_provisioner_remakes_a_stack_that_lost_a_part(own: LocalCloud) -> None:
    identity = enrolled(own, "gustbed-site-1")
    boto3.client("sqs").delete_queue(QueueUrl=own.connect().outputs.ingest_queue_url)
    refused = own.run("provision", GUSTBED_REBUILD="false")
    assert (refused.returncode, "IngestQueue is gone" in refused.stderr) == (1, True)
    own.provision()
    client = own.connect()
    with Device(identity) as device:
        batch = LogBatch(identity.thing, "site-1", [LogLine(time.time(), "info", "again")])
        device.publish(uplink(identity.thing, "logs"), encode(batch))
        wait_until(lambda: said(client, "again"), "the message is in the logs")


def test_sigterm_stops_both_cleanly_with_a_device_connected(own: LocalCloud) -> None:
    identity = enrolled(own, "gustbed-site-1")
    with Device(identity):
        for process in (own.emulator, own.registry):
            assert process is not None
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        own.start_emulator()


@pytest.mark.parametrize(
    ("script", "variable"),
    [
        ("emulator", "GUSTBED_EMULATOR_PORT"),
        ("emulator", "GUSTBED_EMULATOR_MTLS_PORT"),
        ("registry", "GUSTBED_REGISTRY_PORT"),
    ],
)
def test_taken_port_is_named_in_one_line(tmp_path: Path, script: str, variable: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        cloud = LocalCloud(tmp_path)
        done = subprocess.run(
            [EMULATOR_PYTHON, SCRIPTS / f"{script}.py"],
            env={**os.environ, **cloud.environment, variable: port},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert port in done.stderr
    assert variable in done.stderr


def test_only_the_given_address_is_bound(cloud: LocalCloud) -> None:
    listening = {
        line.split()[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    }
    for port in (cloud.port, cloud.mtls_port, cloud.registry_port):
        assert {entry for entry in listening if entry.endswith(f":{port:04X}")} == {
            f"0100007F:{port:04X}"
        }


def test_unreachable_cloud_is_one_line_that_names_the_variable(tmp_path: Path) -> None:
    cloud = LocalCloud(tmp_path)
    done = cloud.run("deploy")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "AWS_ENDPOINT_URL" in done.stderr


def test_missing_credentials_are_one_line_that_names_the_variable(tmp_path: Path) -> None:
    cloud = LocalCloud(tmp_path)
    nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    done = cloud.run("deploy", **nothing, AWS_EC2_METADATA_DISABLED="true")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "AWS_PROFILE" in done.stderr
