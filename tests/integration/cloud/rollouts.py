"""Packages, their approvals and their jobs, as operators and edges see them."""

import json
from pathlib import Path
from typing import Any

from gustbed_cloud import operations
from gustbed_core.approvals import ApprovalRecord
from gustbed_core.jobs import JobDocument, Release, read_job_document
from tests.support.cloud import Device, Identity
from tests.support.packages import tiny_package, write_passed


def package(folder: Path, version: str, name: str = "tiny") -> Path:
    path = folder / f"{name}-{version}.tar.gz"
    write_passed(tiny_package(version, name=name), path)
    return path


def register(
    client: operations.Cloud, folder: Path, version: str, name: str = "tiny"
) -> operations.ModelVersion:
    return operations.register_model(client, package(folder, version, name))


def job_of(client: operations.Cloud, version: str, name: str = "tiny") -> operations.Job | None:
    jobs = operations.list_jobs(client)
    return next((job for job in jobs if (job.name, job.version) == (name, version)), None)


def roles(client: operations.Cloud, name: str, version: str) -> list[str]:
    """Of a version's jobs, sorted: the emulator keeps no order of jobs within a second."""
    jobs = operations.list_jobs(client)
    return sorted(job.role for job in jobs if (job.name, job.version) == (name, version))


def document_of(client: operations.Cloud, job_id: str) -> JobDocument:
    text = client.client("iot").get_job_document(jobId=job_id)["document"]
    return read_job_document(json.loads(text))


def release_of(client: operations.Cloud, job: operations.Job) -> Release:
    return document_of(client, job.id).release


def approved_as(model: operations.ModelVersion) -> ApprovalRecord:
    assert model.approval is not None
    return model.approval


def has_job(client: operations.Cloud, approved: operations.ModelVersion) -> bool:
    """Whether an approval's own rollout exists."""
    return approved_as(approved).rollout in {job.id for job in operations.list_jobs(client)}


def approve_in_console(client: operations.Cloud, arn: str, status: str, note: str = "") -> None:
    client.client("sagemaker").update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus=status,
        **({"ApprovalDescription": note} if note else {}),
    )


def latest(client: operations.Cloud, name: str) -> ApprovalRecord:
    (listed,) = operations.list_models(client, name)
    return approved_as(listed)


def ask(identity: Identity, verb: str, content: dict[str, Any]) -> dict[str, Any]:
    """Speak AWS IoT Jobs over MQTT as an edge does."""
    topic = f"$aws/things/{identity.thing}/jobs/{verb}"
    with Device(identity) as device:
        device.subscribe(f"$aws/things/{identity.thing}/jobs/+/{verb.rpartition('/')[2]}/+")
        device.subscribe(f"{topic}/+")
        device.publish(topic, content)
        answered, payload = device.received.get(timeout=30)
    assert answered.endswith("/accepted"), (answered, payload)
    return dict(json.loads(payload))
