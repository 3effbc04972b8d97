"""The emulator and the registry as real processes on free ports, and devices that speak to them."""

import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from awscrt import mqtt
from awsiot import mqtt_connection_builder
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gustbed_cloud import operations
from gustbed_core.enrolment import answer_folder, request_path
from tests.support.packages import PIPELINE
from tests.support.ports import free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
EMULATOR_PYTHON = ROOT / ".venv-emulator" / "bin" / "python"
SCRIPTS = ROOT / "services" / "cloud" / "gustbed_cloud" / "emulator"
STACK = "gustbed"


@dataclass
class LocalCloud:
    """A cloud on this machine. ``environment`` holds what its clients need."""

    folder: Path
    port: int = field(default_factory=free_port)
    mtls_port: int = field(default_factory=free_port)
    registry_port: int = field(default_factory=free_port)
    access_key: str = field(default_factory=lambda: f"GBTEST{secrets.token_hex(6).upper()}")
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(30))
    emulator: subprocess.Popen[bytes] | None = None
    registry: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """AWS's APIs."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def enrol_dir(self) -> Path:
        """Where edges ask."""
        return self.folder / "enrol"

    @property
    def environment(self) -> dict[str, str]:
        """Variables of everything that runs against this cloud."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_SAGEMAKER": f"http://127.0.0.1:{self.registry_port}",
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "GUSTBED_STACK": STACK,
            "GUSTBED_ENROL_DIR": str(self.enrol_dir),
            "GUSTBED_IOT_HOST": "127.0.0.1",
            "GUSTBED_IOT_PORT": str(self.mtls_port),
            "GUSTBED_IOT_CA_URL": f"{self.url}/_ministack/iot/ca.pem",
            "GUSTBED_REBUILD": "true",
            "GUSTBED_PIPELINE_KEYS": str(self.folder / "pipelines"),
            "GUSTBED_DEPLOY": "true",
            "GUSTBED_ENROL": "any",
            "GUSTBED_EMULATOR_PORT": str(self.port),
            "GUSTBED_EMULATOR_MTLS_PORT": str(self.mtls_port),
            "GUSTBED_EMULATOR_DATA_DIR": str(self.folder / "emulator"),
            "GUSTBED_REGISTRY_PORT": str(self.registry_port),
            "GUSTBED_REGISTRY_DATA_DIR": str(self.folder / "registry"),
        }

    def start_emulator(self) -> None:
        """Start it and wait until it answers, MQTT included."""
        self.emulator = self._start("emulator")
        ready = f"{self.url}/_ministack/ready"
        wait_until(lambda: self._answers(ready, "emulator"), "the emulator is ready")

    def start_registry(self) -> None:
        """Start it and wait until it answers."""
        self.registry = self._start("registry")
        address = f"http://127.0.0.1:{self.registry_port}/health"
        wait_until(lambda: self._answers(address, "registry"), "the registry is ready")

    def stop(self, sig: int = signal.SIGTERM) -> None:
        """Stop what runs of both."""
        for process in (self.emulator, self.registry):
            stop_process(process, sig)
        self.emulator = self.registry = None

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ``gustbed-cloud`` against this cloud, its calls checked as AWS would."""
        return subprocess.run(
            [sys.executable, "-m", "tests.support.aws_contract", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def provision(self) -> None:
        """Deploy, and enrol every edge that asked."""
        done = self.run("provision")
        assert done.returncode == 0, done.stderr

    def connect(self) -> operations.Cloud:
        """The operators' way in. Only within ``local_cloud``, which sets the environment."""
        return operations.connect(STACK)

    def log(self, name: str) -> str:
        """What a process has printed."""
        return (self.folder / f"{name}.log").read_text()

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [str(EMULATOR_PYTHON), str(SCRIPTS / f"{name}.py")],
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
            )

    def _answers(self, url: str, name: str) -> bool:
        process = self.emulator if name == "emulator" else self.registry
        if process is not None and process.poll() is not None:
            raise AssertionError(f"the {name} ended: {self.log(name)}")
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            return False


def stop_process(process: subprocess.Popen[bytes] | None, sig: int = signal.SIGTERM) -> None:
    """Stop a process and wait for it; kill it if it does not listen."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(sig)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(30)
        raise


@contextmanager
def local_cloud(folder: Path, *, deploy: bool = True) -> Iterator[LocalCloud]:
    """Run emulator and registry until the block ends, this process's AWS pointed at them."""
    cloud = LocalCloud(folder)
    pipelines = folder / "pipelines"
    pipelines.mkdir(exist_ok=True)
    (pipelines / f"{PIPELINE.key_id}.pem").write_bytes(PIPELINE.public_pem())
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_PROFILE", raising=False)
        for name, value in cloud.environment.items():
            patch.setenv(name, value)
        # It would go on with the key of a cloud that was here before.
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        try:
            cloud.start_emulator()
            cloud.start_registry()
            if deploy:
                cloud.provision()
            yield cloud
        finally:
            cloud.stop()


@dataclass
class Mailbox:
    """A queue that is subscribed to the alert topic. ``notices`` holds what has arrived."""

    sqs: Any
    url: str
    notices: list[dict[str, Any]] = field(default_factory=list)

    def fetch(self) -> list[dict[str, Any]]:
        """Take in what has arrived since; returns all notices."""
        answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            self.notices.append(json.loads(message["Body"]))
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return self.notices


@contextmanager
def alert_mailbox(sqs: Any, sns: Any, topic: str) -> Iterator[Mailbox]:
    """Subscribe to alerts, by boto3 clients and the topic's ARN, as a mail address would be."""
    url = sqs.create_queue(QueueName=f"mailbox-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    arn = attributes["QueueArn"]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    try:
        yield Mailbox(sqs, url)
    finally:
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        sqs.delete_queue(QueueUrl=url)


@dataclass(frozen=True)
class Identity:
    """An edge's key and request. ``folder`` takes the answer."""

    thing: str
    folder: Path
    key: Path
    request: Path


def ask_to_enrol(cloud: LocalCloud, thing: str, *, common_name: str | None = None) -> Identity:
    """Make a key and a request as an edge does."""
    path = request_path(cloud.enrol_dir, thing)
    path.parent.mkdir(parents=True, exist_ok=True)
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or thing)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = request.sign(private, hashes.SHA256())
    key = cloud.folder / f"{thing}.key"
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return Identity(thing, answer_folder(cloud.enrol_dir, thing), key, path)


def enrolled(cloud: LocalCloud, thing: str, *options: str) -> Identity:
    """A device with a certificate."""
    identity = ask_to_enrol(cloud, thing)
    done = cloud.run("enrol", thing, *options)
    assert done.returncode == 0, done.stderr
    return identity


class Device:
    """An edge's connection to IoT Core, through the device SDK."""

    def __init__(self, identity: Identity, client_id: str | None = None) -> None:
        endpoint = json.loads((identity.folder / "endpoint.json").read_text())
        self.received: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.interrupted = False
        self._connection = mqtt_connection_builder.mtls_from_path(
            cert_filepath=str(identity.folder / "certificate.pem"),
            pri_key_filepath=str(identity.key),
            ca_filepath=str(identity.folder / "ca.pem"),
            endpoint=endpoint["host"],
            port=endpoint["port"],
            client_id=client_id or identity.thing,
            clean_session=True,
            keep_alive_secs=30,
            reconnect_min_timeout_secs=1,
            reconnect_max_timeout_secs=2,
            on_connection_interrupted=self._interrupted,
        )

    def __enter__(self) -> "Device":
        self._connection.connect().result(10)
        return self

    def __exit__(self, *_: object) -> None:
        # A connection that was cut has nobody to say goodbye to.
        with suppress(*([TimeoutError] if self.interrupted else [])):
            self._connection.disconnect().result(3)

    def publish(self, topic: str, content: Mapping[str, Any] | bytes) -> None:
        """Publish at QoS 1; returns once the cloud has acknowledged."""
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        future, _ = self._connection.publish(topic, payload, mqtt.QoS.AT_LEAST_ONCE)
        future.result(10)

    def subscribe(self, topic: str) -> Any:
        """Subscribe at QoS 1; returns the cloud's answer. Messages go to ``received``."""
        future, _ = self._connection.subscribe(topic, mqtt.QoS.AT_LEAST_ONCE, self._message)
        return future.result(10)

    def _message(self, topic: str, payload: bytes, **_: object) -> None:
        self.received.put((topic, payload))

    def _interrupted(self, **_: object) -> None:
        self.interrupted = True
