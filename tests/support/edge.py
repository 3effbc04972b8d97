"""A running edge gateway, turbines that feed it, and jobs that update it."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import boto3
import numpy as np
from numpy.typing import NDArray

from gustbed_core import codec, topics
from gustbed_core.jobs import (
    JobDocument,
    Release,
    Role,
    Signature,
    presigned_placeholder,
)
from gustbed_core.mqtt import Message, Session
from gustbed_core.package import Package, sha256, write_package
from gustbed_core.settings import MqttSettings, SiteSettings
from gustbed_core.telemetry import Samples, block_from_samples
from gustbed_edge.service import Edge
from gustbed_edge.settings import EdgeSettings
from tests.support.packages import (
    MILL,
    SigningKey,
    as_order,
    calm,
    mill_columns,
    mill_package,
    mini_block,
    sign_package,
    tiny_package,
    write_factory,
)
from tests.support.ports import wait_until

ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "REJECTED", "CANCELED")


@dataclass
class RunningEdge:
    """An edge in a thread of this process, with its own folder."""

    site: SiteSettings
    settings: EdgeSettings
    edge: Edge
    failure: list[BaseException] = field(default_factory=list)

    def get(self, path: str) -> Any:
        """GET from the edge's HTTP port; JSON, or text for /metrics."""
        url = f"http://127.0.0.1:{self.edge.http_port}{path}"
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(url, timeout=30) as answer:
            body = answer.read().decode()
            return body if path == "/metrics" else json.loads(body)
        return None

    def turbine(self, turbine: str) -> Any:
        """A turbine's part of /status."""
        return next(t for t in self.get("/status")["turbines"] if t["id"] == turbine)

    def events(self) -> list[Any]:
        """/events."""
        events: list[Any] = self.get("/events")
        return events


def edge_settings(folder: Path, **changes: Any) -> EdgeSettings:
    """Settings whose folders lie below ``folder`` and whose factory models are the tiny ones."""
    factory = folder / "factory"
    if not factory.exists():
        key = SigningKey("factory")
        for package in (tiny_package(), mill_package()):
            write_factory(factory, sign_package(package, key, folder / "packages"), key)
    values: dict[str, Any] = {
        "data_dir": folder / "edge",
        "enrol_dir": folder / "enrol",
        "factory_dir": factory,
        "http_port": 0,
        **changes,
    }
    return EdgeSettings(**values)


@contextmanager
def running_edge(
    folder: Path, mqtt: MqttSettings, site: SiteSettings, **changes: Any
) -> Iterator[RunningEdge]:
    """Run an edge until the block ends."""
    settings = edge_settings(folder, **changes)
    running = RunningEdge(site, settings, Edge(site, mqtt, settings))
    stop = threading.Event()

    def run() -> None:
        try:
            running.edge.run(stop)
        except BaseException as error:  # noqa: BLE001 - told to the test below
            running.failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: running.edge.ready.is_set() or running.failure, "the edge runs")
        if running.failure:
            raise running.failure[0]
        yield running
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive(), "the edge did not stop"


class Turbines:
    """Turbines that publish a block every ``interval`` seconds until the block ends.

    ``values`` may be changed per turbine while they run; a turbine without values is silent.
    """

    def __init__(
        self,
        mqtt: MqttSettings,
        site: SiteSettings,
        turbines: tuple[str, ...],
        *,
        interval: float = 0.1,
    ) -> None:
        self.values: dict[str, NDArray[np.float64]] = {t: calm() for t in turbines}
        self.sent: dict[str, int] = dict.fromkeys(turbines, 0)
        self.boot = str(uuid4())
        self._site = site
        self._interval = interval
        self._sessions = {t: Session(mqtt, user=t, client_id=f"{t}-{uuid4()}") for t in turbines}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def send(
        self,
        sender: str,
        values: NDArray[np.float64],
        *,
        encoding: codec.Encoding = codec.Encoding.JSON,
        **changes: Any,
    ) -> None:
        """Publish one block of a turbine, its fields as given by ``changes``."""
        seq = self.sent[sender]
        self.sent[sender] = seq + 1
        samples = mini_block(sender, self.boot, seq, time.time() - 0.45, 0.05, values)
        block = asdict(block_from_samples(samples)) | changes
        self.raw(sender, codec.encode(block, encoding))

    def raw(self, turbine: str, payload: bytes) -> None:
        """Publish anything as a turbine's telemetry."""
        topic = topics.telemetry(self._site.site, turbine)
        self._sessions[turbine].publish(Message(topic, payload, qos=1))

    def __enter__(self) -> Self:
        for session in self._sessions.values():
            session.start()
            session.wait_connected(30)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        for session in self._sessions.values():
            session.stop()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            for turbine, values in list(self.values.items()):
                self.send(turbine, values)


class Mill:
    """A turbine of another type, whose seconds are as short as a test likes."""

    def __init__(self, mqtt: MqttSettings, site: SiteSettings, turbine: str) -> None:
        self.sent = 0
        self.boot = str(uuid4())
        self._site = site.site
        self._turbine = turbine
        self._start = time.time() - 1000
        self._session = Session(mqtt, user=turbine, client_id=f"{turbine}-{uuid4()}")

    def __enter__(self) -> Self:
        self._session.start()
        self._session.wait_connected(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._session.stop()

    def send(self, count: int = 1, **values: float) -> None:
        """Publish blocks of a second each."""
        for _ in range(count):
            columns = mill_columns(1, **values)
            samples = Samples(
                self._turbine,
                self.boot,
                self.sent,
                self._start + self.sent,
                1.0,
                np.array(list(columns.values())),
                MILL,
                tuple(columns),
            )
            self.sent += 1
            topic = topics.telemetry(self._site, self._turbine)
            payload = codec.encode(block_from_samples(samples))
            self._session.publish(Message(topic, payload, qos=1))


@dataclass(frozen=True)
class Rollout:
    """Creates update jobs in the emulator as the cloud's functions do."""

    bucket: str
    key_id: str
    thing: str
    folder: Path

    def release(
        self, package: Package, *, rollback: bool = False, role: Role = "serve"
    ) -> tuple[Release, bytes]:
        """A package's release statement and its archive."""
        archive = write_package(package, self.folder / "outgoing.tar.gz")
        name, version = package.manifest.name, package.manifest.version
        release = Release(name, version, len(archive), sha256(archive), rollback, role)
        return as_order(release), archive

    def sign(self, release: Release) -> Signature:
        """A signature by the stack's key."""
        answer = boto3.client("kms").sign(
            KeyId=self.key_id,
            Message=release.digest(),
            MessageType="DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )
        return Signature.from_bytes(answer["Signature"], self.key_id)

    def create(
        self, release: Release, archive: bytes, changes: Mapping[str, Any] | None = None
    ) -> str:
        """Create a job; ``changes`` replace parts of the document. Returns its id."""
        job = f"test-{uuid4()}"
        key = f"releases/{job}/package.tar.gz"
        boto3.client("s3").put_object(Bucket=self.bucket, Key=key, Body=archive)
        region = boto3.session.Session().region_name or ""
        url = presigned_placeholder(self.bucket, key, region)
        document = asdict(JobDocument(release, url, self.sign(release))) | dict(changes or {})
        iot = boto3.client("iot")
        iot.create_job(
            jobId=job,
            targets=[iot.describe_thing(thingName=self.thing)["thingArn"]],
            document=json.dumps(document),
            presignedUrlConfig={"roleArn": self._presign_role(), "expiresInSec": 3600},
        )
        return job

    def install(self, package: Package, *, role: Role = "serve") -> str:
        """Sign a package and create its job."""
        return self.create(*self.release(package, role=role))

    def execution(self, job: str) -> Any:
        """The job's execution on the thing."""
        found = boto3.client("iot").describe_job_execution(jobId=job, thingName=self.thing)
        return found["execution"]

    def ended(self, job: str) -> tuple[str, dict[str, str]]:
        """Wait for the job to end; return its status and details."""
        wait_until(lambda: self.execution(job)["status"] in ENDED, f"{job} ends")
        execution = self.execution(job)
        return execution["status"], execution.get("statusDetails", {}).get("detailsMap", {})

    def _presign_role(self) -> str:
        roles = boto3.client("iam").list_roles()["Roles"]
        return str(next(r["Arn"] for r in roles if "presign" in r["RoleName"].lower()))
