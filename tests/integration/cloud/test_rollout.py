"""From an approval to a signed job that an edge can take, to serve or to run in shadow."""

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gustbed_cloud import operations
from gustbed_cloud.approval_store import add_approval
from gustbed_core.approvals import approval_key
from gustbed_core.errors import GustbedError
from gustbed_core.jobs import read_job_document
from gustbed_core.package import sha256
from tests.integration.cloud.rollouts import (
    approve_in_console,
    approved_as,
    ask,
    has_job,
    job_of,
    latest,
    package,
    release_of,
    roles,
)
from tests.support.cloud import Identity, LocalCloud, enrolled
from tests.support.ports import wait_until


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
    assert release.target in json.loads((edge.folder / "endpoint.json").read_text())["targets"]
    hosts = json.loads((edge.folder / "endpoint.json").read_text())["downloads"]
    assert urlsplit(document.url).netloc in hosts

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


@pytest.mark.promise("O10")
def test_a_rollout_that_was_cancelled_or_failed_is_retried_by_approving_again(
    client: operations.Cloud, edge: Identity, tmp_path: Path
) -> None:
    operations.register_model(client, package(tmp_path, "1.0.0", "retried"))
    first = operations.approve_model(client, "retried", "1.0.0")
    wait_until(lambda: has_job(client, first), "the job exists")
    client.client("iot").cancel_job(jobId=approved_as(first).rollout)
    with pytest.raises(GustbedError, match=f"{edge.thing}: CANCELED: the rollout was cancelled"):
        operations.follow_rollout(client, first, 30, print)
    second = operations.approve_model(client, "retried", "1.0.0")
    wait_until(lambda: has_job(client, second), "another job exists")
    job = approved_as(second).rollout
    # What waits for this edge of other tests' models comes first.
    for other in operations.list_jobs(client, 100):
        if other.id != job and other.status == "IN_PROGRESS":
            client.client("iot").cancel_job(jobId=other.id, force=True)
    assert ask(edge, "start-next", {})["execution"]["jobId"] == job
    details = {"reason": "too_slow", "detail": "9 s"}
    ask(edge, f"{job}/update", {"status": "FAILED", "statusDetails": details})
    with pytest.raises(GustbedError, match=f"{edge.thing}: FAILED: too_slow: 9 s"):
        operations.follow_rollout(client, second, 30, print)
    third = operations.approve_model(client, "retried", "1.0.0")
    with pytest.raises(GustbedError, match=f"after 5 s: {edge.thing} did not take it"):
        operations.follow_rollout(client, third, 5, print)


@pytest.mark.promise("O10")
def test_a_foreign_device_gets_none_of_it_and_a_late_edge_all(
    client: operations.Cloud, cloud: LocalCloud, tmp_path: Path
) -> None:
    operations.register_model(client, package(tmp_path, "1.0.0", "late"))
    approved = operations.approve_model(client, "late", "1.0.0")
    wait_until(lambda: has_job(client, approved), "the fleet's job exists")
    foreign = enrolled(cloud, "anemometer", "--role", "device")
    late = enrolled(cloud, "gustbed-late")

    def jobs_of(thing: str) -> list[operations.Job]:
        found = operations.list_jobs(client, 100)
        return [j for j in found if thing in {e.thing for e in j.executions} and j.name == "late"]

    def of_its_own() -> list[operations.Job]:
        target = f"thing:{late.thing}"
        return [job for job in jobs_of(late.thing) if release_of(client, job).target == target]

    wait_until(of_its_own, "the late edge has a job of its own")
    (job,) = of_its_own()
    rollout = approved_as(approved).rollout
    fleet = next(job for job in operations.list_jobs(client, 100) if job.id == rollout)
    assert release_of(client, job).sequence == release_of(client, fleet).sequence
    assert [execution.thing for execution in job.executions] == [late.thing]
    assert jobs_of(foreign.thing) == []


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
    promoted_to = release_of(client, second)
    assert promoted_to.sequence > release.sequence
    assert (promoted_to.role, promoted_to.sha256) == ("serve", release.sha256)
    assert edge.thing in {e.thing for e in second.executions}
    with pytest.raises(GustbedError, match=r"nrel-5mw 1\.0\.0"):
        operations.promote_model(client, name, "1.0.0")
    with pytest.raises(GustbedError, match=r"nrel-5mw 1\.0\.0"):
        operations.approve_model(client, name, "1.0.0", shadow=True)
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


def test_rejected_shadow_is_not_promoted(client: operations.Cloud, tmp_path: Path) -> None:
    operations.register_model(client, package(tmp_path, "1.0.0", "unwanted"))
    operations.reject_model(client, "unwanted", "1.0.0")
    with pytest.raises(GustbedError, match=r"unwanted 1\.0\.0 is not in shadow \(Rejected\)"):
        operations.promote_model(client, "unwanted", "1.0.0")


def test_approving_an_unknown_version_names_it(client: operations.Cloud) -> None:
    with pytest.raises(GustbedError, match=r"model tiny 9\.9\.9: not registered"):
        operations.approve_model(client, "tiny", "9.9.9")
