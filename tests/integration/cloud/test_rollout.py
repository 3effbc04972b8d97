"""From an approval to a signed job that an edge can take."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gustbed_cloud import operations
from gustbed_protocol.errors import GustbedError
from gustbed_protocol.jobs import Release, Signature
from gustbed_protocol.package import PackageError, sha256, write_package
from tests.support.cloud import Device, Identity, LocalCloud, enrolled
from tests.support.packages import tiny_package
from tests.support.ports import wait_until


@pytest.fixture(scope="module")
def edge(cloud: LocalCloud) -> Identity:
    return enrolled(cloud, "gustbed-site-1")


@pytest.fixture(scope="module")
def client(cloud: LocalCloud, edge: Identity) -> operations.Cloud:
    return cloud.connect()


def package(folder: Path, version: str) -> Path:
    path = folder / f"{version}.tar.gz"
    write_package(tiny_package(version), path)
    return path


def job_of(client: operations.Cloud, version: str) -> operations.Job | None:
    return next((job for job in operations.list_jobs(client) if job.version == version), None)


def ask(identity: Identity, verb: str, content: dict[str, Any]) -> dict[str, Any]:
    """Speak AWS IoT Jobs over MQTT as an edge does."""
    topic = f"$aws/things/{identity.thing}/jobs/{verb}"
    with Device(identity) as device:
        device.subscribe(f"$aws/things/{identity.thing}/jobs/+/{verb.rpartition('/')[2]}/+")
        device.subscribe(f"{topic}/+")
        device.publish(topic, content)
        answered, payload = device.received.get(timeout=10)
    assert answered.endswith("/accepted"), (answered, payload)
    return dict(json.loads(payload))


def test_approved_model_becomes_a_signed_job(
    cloud: LocalCloud, client: operations.Cloud, edge: Identity, tmp_path: Path
) -> None:
    path = package(tmp_path, "1.1.0")
    registered = operations.register_model(client, path)
    assert registered.status == "PendingManualApproval"
    assert job_of(client, "1.1.0") is None
    approved = operations.approve_model(client, registered.name, "1.1.0")
    assert approved.status == "Approved"
    wait_until(lambda: job_of(client, "1.1.0"), "the job exists")
    job = job_of(client, "1.1.0")
    assert job is not None
    assert [(e.thing, e.status) for e in job.executions] == [(edge.thing, "QUEUED")]

    execution = ask(edge, "start-next", {})["execution"]
    assert execution["jobId"] == job.id
    document = execution["jobDocument"]
    with urllib.request.urlopen(document["url"], timeout=10) as answer:  # noqa: S310
        data = answer.read()
    assert data == path.read_bytes()
    release, signature = Release(**document["release"]), Signature(**document["signature"])
    assert (release.size, release.sha256) == (len(data), sha256(data))
    assert (release.name, release.version, release.rollback) == ("tiny", "1.1.0", False)
    pem = (edge.folder / "signing-keys" / f"{signature.key_id}.pem").read_bytes()
    key = load_pem_public_key(pem)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(signature.der(), release.digest(), ec.ECDSA(Prehashed(SHA256())))

    details = {"reason": "bad_checksum"}
    ask(edge, f"{job.id}/update", {"status": "FAILED", "statusDetails": details})
    wait_until(
        lambda: (
            (found := job_of(client, "1.1.0"))
            and [(e.status, e.reason) for e in found.executions] == [("FAILED", "bad_checksum")]
        ),
        "the operator sees the reason",
    )


def test_tampered_download_link_is_refused(
    client: operations.Cloud, edge: Identity, tmp_path: Path
) -> None:
    operations.register_model(client, package(tmp_path, "1.2.0"))
    operations.approve_model(client, "tiny", "1.2.0")
    wait_until(lambda: job_of(client, "1.2.0"), "the job exists")
    execution = ask(edge, "start-next", {})["execution"]
    url = execution["jobDocument"]["url"]
    ask(edge, f"{execution['jobId']}/update", {"status": "SUCCEEDED"})
    for wrong in (url.replace("package.tar.gz", "job.json"), url.partition("?")[0]):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(wrong, timeout=10)  # noqa: S310
        assert refused.value.code in (401, 403)


def test_approving_twice_creates_one_job(client: operations.Cloud, tmp_path: Path) -> None:
    operations.register_model(client, package(tmp_path, "1.3.0"))
    operations.approve_model(client, "tiny", "1.3.0")
    wait_until(lambda: job_of(client, "1.3.0"), "the job exists")
    operations.reject_model(client, "tiny", "1.3.0")
    operations.approve_model(client, "tiny", "1.3.0")
    lines = client.client("logs")
    group = "/aws/lambda/gustbed-job-creator"

    def repeated() -> bool:
        events = lines.filter_log_events(logGroupName=group)["events"]
        return any('"exists"' in e["message"] and "1_3_0" in e["message"] for e in events)

    wait_until(repeated, "the second approval found the job")
    jobs = [job for job in operations.list_jobs(client) if job.version == "1.3.0"]
    assert len(jobs) == 1


def test_rejected_model_is_not_rolled_out(client: operations.Cloud, tmp_path: Path) -> None:
    operations.register_model(client, package(tmp_path, "1.4.0"))
    rejected = operations.reject_model(client, "tiny", "1.4.0")
    assert rejected.status == "Rejected"
    operations.register_model(client, package(tmp_path, "1.4.1"))
    operations.approve_model(client, "tiny", "1.4.1")
    wait_until(lambda: job_of(client, "1.4.1"), "the later model's job exists")
    assert job_of(client, "1.4.0") is None


def test_intended_rollback_is_in_the_signed_release(
    client: operations.Cloud, tmp_path: Path
) -> None:
    operations.register_model(client, package(tmp_path, "1.0.1"))
    operations.approve_model(client, "tiny", "1.0.1", rollback=True)
    wait_until(lambda: job_of(client, "1.0.1"), "the job exists")
    job = job_of(client, "1.0.1")
    assert job is not None
    text = client.client("iot").get_job_document(jobId=job.id)["document"]
    assert json.loads(text)["release"]["rollback"] is True


def test_registering_a_version_twice_is_refused(client: operations.Cloud, tmp_path: Path) -> None:
    path = package(tmp_path, "2.0.0")
    operations.register_model(client, path)
    with pytest.raises(GustbedError, match=r"tiny 2\.0\.0 is registered already"):
        operations.register_model(client, path)
    versions = [model.version for model in operations.list_models(client, "tiny")]
    assert versions.count("2.0.0") == 1
    assert versions == sorted(versions, key=lambda v: [int(p) for p in v.split(".")], reverse=True)


def test_truncated_package_is_not_registered(client: operations.Cloud, tmp_path: Path) -> None:
    path = package(tmp_path, "3.0.0")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(PackageError):
        operations.register_model(client, path)
    assert "3.0.0" not in [model.version for model in operations.list_models(client)]


def test_approving_an_unknown_version_names_it(client: operations.Cloud) -> None:
    with pytest.raises(GustbedError, match=r"model tiny 9\.9\.9: not registered"):
        operations.approve_model(client, "tiny", "9.9.9")
