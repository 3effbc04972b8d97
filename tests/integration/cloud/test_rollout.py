"""From an approval to a signed job that an edge can take, to serve or to run in shadow."""

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gustbed_cloud import operations
from gustbed_cloud.approval_store import add_approval
from gustbed_core.approvals import ApprovalRecord, approval_key
from gustbed_core.errors import GustbedError
from gustbed_core.jobs import JobDocument, Release, read_job_document
from gustbed_core.package import PackageError, sha256, write_package
from gustbed_core.registrations import GateResult, registration_key
from tests.support.cloud import Device, Identity, LocalCloud, enrolled
from tests.support.packages import tiny_package
from tests.support.ports import wait_until


@pytest.fixture(scope="module")
def edge(cloud: LocalCloud) -> Identity:
    return enrolled(cloud, "gustbed-site-1")


@pytest.fixture(scope="module")
def client(cloud: LocalCloud, edge: Identity) -> operations.Cloud:
    return cloud.connect()


def package(folder: Path, version: str, name: str = "tiny") -> Path:
    path = folder / f"{name}-{version}.tar.gz"
    write_package(tiny_package(version, name=name), path)
    return path


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
    document = read_job_document(execution["jobDocument"])
    assert document.rollout == job.id == approved_as(approved).rollout
    with urllib.request.urlopen(document.url, timeout=30) as answer:  # noqa: S310
        data = answer.read()
    assert data == path.read_bytes()
    release, signature = document.release, document.signature
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
            urllib.request.urlopen(wrong, timeout=30)  # noqa: S310
        assert refused.value.code in (401, 403)


def test_a_version_approved_back_and_forth_is_rolled_out_each_time(
    client: operations.Cloud, edge: Identity, tmp_path: Path
) -> None:
    for version in ("1.0.0", "1.1.0"):
        operations.register_model(client, package(tmp_path, version, "forth"))
    decisions = [("1.0.0", False), ("1.1.0", False)] + [("1.0.0", True), ("1.1.0", False)] * 2
    for number, (version, rollback) in enumerate(decisions, 1):
        approved = operations.approve_model(client, "forth", version, rollback=rollback)
        assert approved_as(approved).sequence == number
        wait_until(lambda a=approved: has_job(client, a), "its job exists")  # type: ignore[misc]
        job = next(j for j in operations.list_jobs(client) if j.id == approved_as(approved).rollout)
        assert (job.version, job.role, job.rollback) == (version, "serve", rollback)
        assert [e.thing for e in job.executions] == [edge.thing]
        serving = operations.approved_package(client, "forth", tmp_path / "fetched")
        assert serving == tmp_path / "fetched" / f"forth-{version}.tar.gz"
    assert len({job.id for job in operations.list_jobs(client) if job.name == "forth"}) == 6


def test_approval_that_arrives_twice_creates_one_job(
    client: operations.Cloud, tmp_path: Path
) -> None:
    operations.register_model(client, package(tmp_path, "1.0.0", "twice"))
    approved = operations.approve_model(client, "twice", "1.0.0")
    wait_until(lambda: has_job(client, approved), "the job exists")
    s3, bucket = client.client("s3"), client.outputs.artifact_bucket
    key = approval_key(approved_as(approved))
    s3.put_object(Bucket=bucket, Key=key, Body=approved_as(approved).to_json())
    lines = client.client("logs")

    def repeated() -> bool:
        events = lines.filter_log_events(logGroupName="/aws/lambda/gustbed-job-creator")["events"]
        rollout = approved_as(approved).rollout
        return any('"exists"' in e["message"] and rollout in e["message"] for e in events)

    wait_until(repeated, "the second arrival found the job")
    assert roles(client, "twice", "1.0.0") == ["serve"]


def test_approval_in_sagemakers_console_means_to_serve_and_gets_a_record(
    client: operations.Cloud, tmp_path: Path
) -> None:
    registered = operations.register_model(client, package(tmp_path, "1.0.0", "console"))
    approve_in_console(client, registered.arn, "Approved", "shadow would be nice")
    wait_until(lambda: roles(client, "console", "1.0.0") == ["serve"], "the job exists")
    (listed,) = operations.list_models(client, "console")
    assert (listed.role, listed.metrics) == ("serve", registered.metrics)
    record = approved_as(listed)
    assert (record.source, record.sequence, record.sha256) == ("registry", 1, registered.sha256)
    # Withdrawn and approved there once more, after a decision of ours.
    operations.approve_model(client, "console", "1.0.0")
    wait_until(lambda: len(roles(client, "console", "1.0.0")) == 2, "ours has a job")
    approve_in_console(client, registered.arn, "Rejected")
    wait_until(lambda: latest(client, "console").decision == "rejected", "it is recorded")
    assert latest(client, "console").sequence == 3
    approve_in_console(client, registered.arn, "Approved")
    wait_until(lambda: len(roles(client, "console", "1.0.0")) == 3, "a third job exists")


def latest(client: operations.Cloud, name: str) -> ApprovalRecord:
    (listed,) = operations.list_models(client, name)
    return approved_as(listed)


def test_two_who_decide_at_once_get_numbers_of_their_own(
    client: operations.Cloud, cloud: LocalCloud, tmp_path: Path
) -> None:
    versions = [f"1.{minor}.0" for minor in range(4)]
    for version in versions:
        operations.register_model(client, package(tmp_path, version, "busy"))

    def approve(version: str) -> int:
        mine = cloud.connect()
        return approved_as(operations.approve_model(mine, "busy", version)).sequence

    with ThreadPoolExecutor(len(versions)) as pool:
        assert sorted(pool.map(approve, versions)) == [1, 2, 3, 4]


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
    assert release_of(client, job).rollback is True


def test_version_that_served_before_can_be_rolled_back_to(
    client: operations.Cloud, tmp_path: Path
) -> None:
    for version in ("1.0.0", "1.1.0"):
        operations.register_model(client, package(tmp_path, version, "back"))
        operations.approve_model(client, "back", version)
        wait_until(lambda v=version: job_of(client, v, "back"), "its job exists")  # type: ignore[misc]
    operations.approve_model(client, "back", "1.0.0", rollback=True)
    wait_until(lambda: len(roles(client, "back", "1.0.0")) == 2, "the rollback's job exists")
    jobs = [j for j in operations.list_jobs(client) if (j.name, j.version) == ("back", "1.0.0")]
    assert sorted(release_of(client, job).rollback for job in jobs) == [False, True]
    serving = operations.approved_package(client, "back", tmp_path / "fetched")
    assert serving == tmp_path / "fetched" / "back-1.0.0.tar.gz"


def test_shadow_becomes_a_job_of_its_own_and_serves_once_promoted(
    client: operations.Cloud, edge: Identity, tmp_path: Path
) -> None:
    name = "nrel-5mw"
    path = package(tmp_path, "1.0.0", name)
    operations.register_model(client, path)
    approved = operations.approve_model(client, name, "1.0.0", shadow=True)
    assert (approved.status, approved.role) == ("Approved", "shadow")
    wait_until(lambda: roles(client, name, "1.0.0") == ["shadow"], "the shadow's job exists")
    first = job_of(client, "1.0.0", name)
    assert first is not None
    release = release_of(client, first)
    assert (release.role, release.sha256) == ("shadow", sha256(path.read_bytes()))
    assert operations.approved_package(client, name, tmp_path / "fetched") is None
    with pytest.raises(GustbedError, match="runs in shadow: promote it"):
        operations.approve_model(client, name, "1.0.0")

    promoted = operations.promote_model(client, name, "1.0.0")
    assert (promoted.status, promoted.role) == ("Approved", "serve")
    wait_until(lambda: roles(client, name, "1.0.0") == ["serve", "shadow"], "a second job exists")
    both = {job.role: job for job in operations.list_jobs(client) if job.name == name}
    second = both["serve"]
    assert second.id != first.id
    assert release_of(client, second) == replace(release, role="serve")
    assert {e.thing for e in second.executions} == {edge.thing}
    for refused in (
        lambda: operations.promote_model(client, name, "1.0.0"),
        lambda: operations.approve_model(client, name, "1.0.0", shadow=True),
    ):
        with pytest.raises(GustbedError, match=r"nrel-5mw 1\.0\.0"):
            refused()
    (listed,) = operations.list_models(client, name)
    assert (listed.role, listed.turbine_type, listed.detector) == ("serve", "mini", "tiny")
    assert {model.name for model in operations.list_models(client)} >= {name, "tiny"}


def test_promotion_that_broke_off_half_way_can_be_repeated(
    client: operations.Cloud, tmp_path: Path
) -> None:
    operations.register_model(client, package(tmp_path, "1.0.0", "half"))
    shadow = operations.approve_model(client, "half", "1.0.0", shadow=True)
    wait_until(lambda: roles(client, "half", "1.0.0") == ["shadow"], "the shadow's job exists")
    # What promote_model does first: the registry does not learn of it.
    record = replace(approved_as(shadow), sequence=2, role="serve")
    add_approval(client.client("s3"), client.outputs.artifact_bucket, record)
    wait_until(lambda: roles(client, "half", "1.0.0") == ["serve", "shadow"], "it serves")
    assert operations.approve_model(client, "half", "1.0.0").role == "serve"
    wait_until(lambda: len(roles(client, "half", "1.0.0")) == 3, "it is rolled out once more")


def test_version_approved_by_an_earlier_gustbed_keeps_its_role(
    client: operations.Cloud, tmp_path: Path
) -> None:
    registered = operations.register_model(client, package(tmp_path, "1.0.0", "earlier"))
    bucket, sagemaker = client.outputs.artifact_bucket, client.client("sagemaker")
    client.client("s3").delete_object(Bucket=bucket, Key=registration_key("earlier", "1.0.0"))
    rule = "gustbed-model-approved"
    client.client("events").disable_rule(Name=rule)
    try:
        sagemaker.update_model_package(
            ModelPackageArn=registered.arn,
            ModelApprovalStatus="Approved",
            ApprovalDescription="shadow (despite its quality gate: a trial)",
        )
        wait_until(lambda: operations.list_models(client, "earlier")[0].role, "it is approved")
    finally:
        client.client("events").enable_rule(Name=rule)
    fresh = operations.connect()
    (found,) = operations.list_models(fresh, "earlier")
    assert (found.role, found.turbine_type, found.approval) == ("shadow", "mini", None)
    promoted = operations.promote_model(fresh, "earlier", "1.0.0")
    wait_until(lambda: has_job(fresh, promoted), "it is rolled out")


def test_rejected_shadow_is_not_promoted(client: operations.Cloud, tmp_path: Path) -> None:
    operations.register_model(client, package(tmp_path, "1.0.0", "unwanted"))
    operations.reject_model(client, "unwanted", "1.0.0")
    with pytest.raises(GustbedError, match=r"unwanted 1\.0\.0 is not in shadow \(Rejected\)"):
        operations.promote_model(client, "unwanted", "1.0.0")


def test_registered_package_and_its_card_can_be_fetched(
    client: operations.Cloud, tmp_path: Path
) -> None:
    path = tmp_path / "carded.tar.gz"
    tiny = tiny_package("1.0.0", name="carded")
    manifest = replace(tiny.manifest, metrics={"vus_pr": 0.75, "care": 0.5})
    write_package(replace(tiny, manifest=manifest, card="# A card\n"), path)
    registered = operations.register_model(client, path)
    assert registered.metrics == {"vus_pr": 0.75, "care": 0.5}
    fetched = operations.fetch_package(client, "carded", "1.0.0", tmp_path / "fetched")
    assert fetched.read_bytes() == path.read_bytes()
    assert operations.model_card(client, "carded", "1.0.0") == "# A card\n"
    # The decision does not lose what the registry was told.
    assert operations.reject_model(client, "carded", "1.0.0").metrics == registered.metrics
    described = client.client("sagemaker").describe_model_package(ModelPackageName=registered.arn)
    statistics = described["ModelMetrics"]["ModelQuality"]["Statistics"]
    bucket, _, key = statistics["S3Uri"].removeprefix("s3://").partition("/")
    stored = client.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert json.loads(stored) == registered.metrics
    with pytest.raises(GustbedError, match=r"carded 9\.9\.9: not registered"):
        operations.fetch_package(client, "carded", "9.9.9", tmp_path)


def test_reason_for_passing_by_the_quality_gate_stays_with_the_version(
    client: operations.Cloud, tmp_path: Path
) -> None:
    path = tmp_path / "ungated.tar.gz"
    tiny = tiny_package("1.0.0", name="ungated")
    write_package(replace(tiny, manifest=replace(tiny.manifest, training={})), path)
    with pytest.raises(GustbedError, match="--despite-gate"):
        operations.register_model(client, path)
    assert operations.list_models(client, "ungated") == []
    reason = "Ann's demo, see #12 (agreed)"
    registered = operations.register_model(client, path, gate_override=f" {reason}\n")
    assert registered.gate == GateResult(passed=False, override=reason)
    shadow = operations.approve_model(client, "ungated", "1.0.0", shadow=True)
    assert (shadow.role, shadow.gate.override) == ("shadow", reason)
    assert approved_as(shadow).gate == registered.gate
    wait_until(lambda: roles(client, "ungated", "1.0.0") == ["shadow"], "it is rolled out")


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
