"""What the reference systems' edge application does on the wire, with the libraries it uses.

Written after ``edge_application.py`` and ``turbine/cloud.py`` of AWS's "ONNX accelerator" sample:
an anonymous subscription on the local broker, mutual TLS with the thing's name as client id, the
classic IoT Jobs topics in its order, and its three kinds of messages. Its signal processing is
left out.
"""

import json
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from awscrt import mqtt
from awsiot import iotjobs, mqtt_connection_builder
from paho.mqtt.enums import CallbackAPIVersion

from gustbed_core.legacy import FIELDS

RELIABLY = mqtt.QoS.AT_LEAST_ONCE
SECONDS = 30


@dataclass(frozen=True)
class ReferenceConfig:
    """Its ``config.json``."""

    port: int
    target_endpoint: str
    target_port: int
    thing_name: str
    certificate: Path
    key: Path
    ca: Path
    broker: str = "127.0.0.1"
    client_id: str = "edge_application"


@dataclass
class ReferenceApplication:
    """Runs until the block ends. ``model`` is what the last job made it load."""

    config: ReferenceConfig
    model: bytes = b""
    version: str = ""
    failure: str = ""
    records: list[list[str]] = field(default_factory=list)

    def __enter__(self) -> "ReferenceApplication":
        config = self.config
        subscribed = threading.Event()
        self._local = paho.Client(CallbackAPIVersion.VERSION2, config.client_id)
        self._local.on_connect = lambda client, *_: client.subscribe("turbine/raw")
        self._local.on_subscribe = lambda *_: subscribed.set()
        self._local.on_message = lambda _c, _u, message: self._record(message.payload.decode())
        self._cloud = mqtt_connection_builder.mtls_from_path(
            endpoint=config.target_endpoint,
            port=config.target_port,
            cert_filepath=str(config.certificate),
            pri_key_filepath=str(config.key),
            ca_filepath=str(config.ca),
            client_id=config.thing_name,
            clean_session=True,
            keep_alive_secs=30,
        )
        self._cloud.connect().result(SECONDS)
        self._local.connect(config.broker, config.port)
        self._local.loop_start()
        assert subscribed.wait(SECONDS), "no answer of the local broker"
        self._jobs = iotjobs.IotJobsClient(self._cloud)
        self._ask_for_jobs()
        return self

    def __exit__(self, *_: object) -> None:
        self._local.loop_stop()
        self._local.disconnect()
        self._cloud.disconnect().result(SECONDS)

    def infer(self) -> None:
        """One verdict, as it says them: six flags, six errors."""
        self._say(
            {
                "type": "inference",
                "model_name": "windturbine",
                "model_version": self.version,
                "anomalies": [0.0, 0.0, 0.0, 0.0, 1.0, 0.0],
                "values": [0.1, 0.2, 0.3, 0.4, 1.5, 0.6],
                "ts": "2026-01-01T00:00:00.000+00:00",
            }
        )

    def _record(self, text: str) -> None:
        values = text.split(",")
        if len(values) != len(FIELDS):
            self.failure = f"wrong number of features: {text}"
            return
        self.records.append(values)
        data = {"ts": "2026-01-01T00:00:00.000+00:00", "values": values}
        self._say({"type": "rawdata", "data": data})

    def _say(self, message: dict[str, Any]) -> None:
        topic = f"device/{self.config.thing_name}/logs"
        self._cloud.publish(topic, json.dumps(message), RELIABLY)

    def _ask_for_jobs(self) -> None:
        thing, jobs = self.config.thing_name, self._jobs
        pending = iotjobs.GetPendingJobExecutionsRequest(thing_name=thing)
        changed = iotjobs.NextJobExecutionChangedSubscriptionRequest(thing_name=thing)
        start = iotjobs.StartNextPendingJobExecutionSubscriptionRequest(thing_name=thing)
        update = iotjobs.UpdateJobExecutionSubscriptionRequest(thing_name=thing, job_id="+")
        for subscribe, request, callback in (
            (jobs.subscribe_to_get_pending_job_executions_accepted, pending, lambda _answer: None),
            (jobs.subscribe_to_get_pending_job_executions_rejected, pending, self._rejected),
            (jobs.subscribe_to_next_job_execution_changed_events, changed, self._changed),
            (jobs.subscribe_to_start_next_pending_job_execution_accepted, start, self._started),
            (jobs.subscribe_to_start_next_pending_job_execution_rejected, start, self._rejected),
            (jobs.subscribe_to_update_job_execution_accepted, update, lambda _answer: None),
            (jobs.subscribe_to_update_job_execution_rejected, update, self._rejected),
        ):
            self._subscribe(subscribe, request, callback)
        jobs.publish_get_pending_job_executions(pending, RELIABLY).result(SECONDS)
        self._start_next()

    def _subscribe(
        self, subscribe: Callable[..., Any], request: object, callback: Callable[[Any], None]
    ) -> None:
        future, _ = subscribe(request=request, qos=RELIABLY, callback=callback)
        future.result(SECONDS)

    def _changed(self, event: Any) -> None:
        if event.execution is not None:
            self._start_next()

    def _start_next(self) -> None:
        request = iotjobs.StartNextPendingJobExecutionRequest(thing_name=self.config.thing_name)
        self._jobs.publish_start_next_pending_job_execution(request, RELIABLY)

    def _started(self, answer: Any) -> None:
        if answer.execution is not None and answer.execution.job_document:
            work = (answer.execution.job_id, answer.execution.job_document)
            threading.Thread(target=self._work, args=work).start()

    def _work(self, job: str, document: dict[str, Any]) -> None:
        good = document["operation"] == "update_model" and document["version"] == "1.0.0"
        if good:
            with urllib.request.urlopen(document["deployment_artifact_path"]) as answer:  # noqa: S310
                self.model, self.version = answer.read(), str(document["model_version"])
        request = iotjobs.UpdateJobExecutionRequest(
            thing_name=self.config.thing_name,
            job_id=job,
            status=iotjobs.JobStatus.SUCCEEDED if good else iotjobs.JobStatus.FAILED,
        )
        self._jobs.publish_update_job_execution(request, RELIABLY).result(SECONDS)

    def _rejected(self, answer: Any) -> None:
        self.failure = f"{answer.code}: {answer.message}"
