"""The reference systems' application, given what docs/reference-systems.md says, and no more."""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest

from gustbed_broker.compat import CONFIG, CompatBroker
from gustbed_cloud import operations
from gustbed_core import topics
from gustbed_core.legacy import CHANNELS, format_record
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import MqttSettings
from tests.support.cloud import LocalCloud, enrolled
from tests.support.mosquitto import mosquitto, serving
from tests.support.ports import free_port, wait_until
from tests.support.reference_app import ReferenceApplication, ReferenceConfig

THING = "WindTurbineOne"
MODEL = b"what would be windturbine.onnx"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MqttSettings, int]]:
    folder = tmp_path_factory.mktemp("site")
    compat = CompatBroker(folder / "compat", "127.0.0.1", free_port())
    with (
        mosquitto(folder, compat=compat) as broker,
        serving(compat.folder / CONFIG, folder / "compat.log", compat.port),
    ):
        yield broker.settings, compat.port


@contextmanager
def turbine(mqtt: MqttSettings) -> Iterator[None]:
    """A turbine that speaks the 20 fields, as the twin does with GUSTBED_TWIN_LEGACY."""
    stop = threading.Event()

    def run() -> None:
        millis = 0
        while not stop.wait(0.1):
            millis += 100
            record = format_record(millis, 729, dict.fromkeys(CHANNELS, 1.0))
            session.publish(Message(topics.LEGACY_RAW, record.encode(), qos=0))

    with Session(mqtt, user="legacy") as session:
        session.wait_connected(30)
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def create_job(client: operations.Cloud, bucket: str) -> str:
    """The job of the reference systems' cloud: its document, for one thing."""
    session = boto3.session.Session()
    key = "releases/reference/1/windturbine.onnx"
    session.client("s3").put_object(Bucket=bucket, Key=key, Body=MODEL)
    roles = session.client("iam").list_roles()["Roles"]
    role = next(r["Arn"] for r in roles if "presign" in r["RoleName"].lower())
    iot = session.client("iot")
    job = f"reference-{uuid.uuid4()}"
    where = f"https://s3.{session.region_name}.amazonaws.com/{bucket}/{key}"
    document = {
        "operation": "update_model",
        "version": "1.0.0",
        "model_version": 1,
        "model_name": "windturbine",
        "onnxruntime_version": "1.3.1",
        "deployment_artifact_path": f"${{aws:iot:s3-presigned-url:{where}}}",
    }
    iot.create_job(
        jobId=job,
        targets=[iot.describe_thing(thingName=THING)["thingArn"]],
        document=json.dumps(document),
        presignedUrlConfig={"roleArn": role, "expiresInSec": 3600},
        timeoutConfig={"inProgressTimeoutInMinutes": 10},
    )
    return job


def status_of(job: str) -> Any:
    found = boto3.client("iot").describe_job_execution(jobId=job, thingName=THING)
    return found["execution"]["status"]


def lines(client: operations.Cloud, kind: str) -> list[Any]:
    found = operations.read_log(client, "logs", thing=THING)
    return [line.content for line in found if line.content.get("type") == kind]


@pytest.mark.promise("P3")
def test_its_job_succeeds_and_its_records_and_verdicts_reach_cloudwatch(
    cloud: LocalCloud, client: operations.Cloud, site: tuple[MqttSettings, int]
) -> None:
    mqtt, port = site
    identity = enrolled(cloud, THING, "--role", "device")
    endpoint = json.loads((identity.folder / "endpoint.json").read_text())
    config = ReferenceConfig(
        port,
        endpoint["host"],
        endpoint["port"],
        THING,
        identity.folder / "certificate.pem",
        identity.key,
        identity.folder / "ca.pem",
    )
    bucket = artifact_bucket()
    with turbine(mqtt), ReferenceApplication(config) as application:
        job = create_job(client, bucket)
        wait_until(lambda: status_of(job) == "SUCCEEDED", "the job succeeds")
        assert application.model == MODEL
        application.infer()
        wait_until(lambda: lines(client, "inference"), "its verdict is in the logs", 60)
        wait_until(lambda: lines(client, "rawdata"), "so are its records", 60)
    assert application.failure == ""
    (verdict, *_) = lines(client, "inference")
    assert (verdict["model_version"], verdict["anomalies"][4]) == ("1", 1.0)
    assert len(lines(client, "rawdata")[0]["data"]["values"]) == 20


def artifact_bucket() -> str:
    outputs = boto3.client("cloudformation").describe_stacks(StackName="gustbed")
    found = {o["OutputKey"]: o["OutputValue"] for o in outputs["Stacks"][0]["Outputs"]}
    return str(next(value for name, value in found.items() if "ArtifactBucket" in name))
