"""model_packager: from a decision to a signed release, on input that nobody has vouched for."""

import base64
import gzip
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from gustbed_cloud.approval_store import read_approvals
from gustbed_core.approvals import ApprovalRecord, approval_key
from gustbed_core.errors import GustbedError
from gustbed_core.jobs import VALID_SECONDS, JobDocument, Release, read_job_document
from gustbed_core.package import sha256
from gustbed_core.registrations import GateResult, Registration, registration_key
from tests.support.aws_contract import modelled
from tests.unit.cloud.functions import FakeS3
from tests.unit.cloud.releases import (
    BUCKET,
    GROUP,
    KEY_ID,
    NAME,
    RELEASED,
    SOURCE,
    VERSION,
    FakeKms,
    approval,
    archive,
    bucket,
    job_of,
    package,
    packager,
    run,
    services,
)

PACKAGE = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/gustbed-windturbine/1"


def test_release_is_signed_and_the_job_document_comes_last() -> None:
    data, kms, record = package(), FakeKms(), approval()
    s3 = bucket(record, data=data)
    assert run(s3, record, kms)["outcome"] == "released"
    assert s3.written == [RELEASED, job_of(record)]
    assert s3.objects[RELEASED] == data
    document = read_job_document(json.loads(s3.objects[job_of(record)]))
    order = document.release
    assert replace(order, sequence=0, issued=0, expires=0, target="") == Release(
        NAME, VERSION, len(data), sha256(data)
    )
    assert (order.target, order.expires - order.issued) == (GROUP, VALID_SECONDS)
    assert order.sequence == int(record.at)
    assert document.rollout == record.rollout
    assert document.operation == "update_model"
    assert document.url == (
        "${aws:iot:s3-presigned-url:https://s3.eu-central-1.amazonaws.com/"
        f"{BUCKET}/releases/windturbine/1.2.0/package.tar.gz}}"
    )
    assert document.signature.key_id == KEY_ID
    der = base64.b64decode(document.signature.value)
    message = document.release.digest()
    kms.private.public_key().verify(der, message, ec.ECDSA(Prehashed(SHA256())))


def test_running_twice_lays_out_the_same_release() -> None:
    record = approval()
    s3 = bucket(record)
    run(s3, record)
    first = read_job_document(json.loads(s3.objects[job_of(record)])).release
    run(s3, record)
    again = read_job_document(json.loads(s3.objects[job_of(record)])).release
    assert replace(again, issued=first.issued, expires=first.expires) == first
    assert s3.written == [RELEASED, job_of(record), job_of(record)]


def test_version_released_before_with_other_bytes_is_refused() -> None:
    first, second = approval(1), approval(2, role="shadow")
    s3 = bucket(first, second)
    run(s3, first)
    s3.objects[SOURCE] = package() + b"\x00"
    with pytest.raises(GustbedError, match="other bytes"):
        run(s3, second)


def test_package_that_is_not_the_one_approved_is_refused() -> None:
    record = approval(sha256="0" * 64)
    s3 = bucket(record)
    with pytest.raises(GustbedError, match="changed since"):
        run(s3, record)
    assert s3.written == []
    run(bucket(right := approval(sha256=sha256(package()))), right)


def test_approval_that_was_withdrawn_releases_nothing() -> None:
    record, rejection = approval(1), approval(2, decision="rejected")
    s3 = bucket(record, rejection)
    for each in (record, rejection):
        assert run(s3, each)["outcome"] == "skipped"
    assert s3.written == []


def test_rejection_of_another_version_withdraws_nothing() -> None:
    record, other = approval(1), approval(2, version="1.1.0", decision="rejected")
    assert run(bucket(record, other), record)["outcome"] == "released"


def test_what_neither_passed_nor_has_a_reason_is_not_released() -> None:
    failed = GateResult(passed=False, detail="worse than pca")
    s3 = bucket(record := approval(gate=failed))
    with pytest.raises(GustbedError, match="has not passed its gate"):
        run(s3, record)
    assert s3.written == []
    taken = approval(gate=replace(failed, override="a trial"))
    assert run(bucket(taken), taken)["outcome"] == "released"


def test_role_and_rollback_are_the_records() -> None:
    first, back = approval(1, role="shadow"), approval(2, rollback=True)
    s3 = bucket(first, back)
    for record in (first, back):
        run(s3, record)
    shadow, serve = (read_job_document(json.loads(s3.objects[job_of(r)])) for r in (first, back))
    assert (shadow.release.role, shadow.release.rollback) == ("shadow", False)
    assert (serve.release.role, serve.release.rollback) == ("serve", True)
    # The same package: one download link for both.
    assert shadow.url == serve.url


def welcomed(s3: FakeS3, thing: str, enrolment: str = "c1") -> list[JobDocument]:
    """What a thing is given when it is enrolled."""
    results = packager.welcome(services(s3), thing, enrolment)
    return [read_job_document(json.loads(s3.objects[each["detail"]])) for each in results]


@pytest.mark.promise("O10")
def test_an_edge_that_comes_later_gets_what_is_in_force_signed_for_it_alone() -> None:
    first, second = approval(1, at=100.0), approval(2, at=200.0, rollback=True)
    s3 = bucket(first, second)
    run(s3, first)
    run(s3, second)
    fleet = read_job_document(json.loads(s3.objects[job_of(second)]))
    (own,) = welcomed(s3, "edge-9")
    assert own.release.target == "thing:edge-9"
    assert replace(own.release, target=GROUP, issued=0, expires=0) == replace(
        fleet.release, issued=0, expires=0
    )
    assert own.release.expires - own.release.issued == VALID_SECONDS
    assert own.url == fleet.url
    ids = {each.rollout for each in (own, *welcomed(s3, "edge-9"), *welcomed(s3, "edge-8"))}
    assert len(ids | {each.rollout for each in welcomed(s3, "edge-9", "c2")}) == 3
    assert all(each.startswith(f"{GROUP}-welcome-") and len(each) <= 64 for each in ids)


def test_an_edge_that_comes_before_any_approval_gets_nothing() -> None:
    assert welcomed(bucket(), "edge-9") == []
    assert welcomed(bucket(approval(1), approval(2, decision="rejected")), "edge-9") == []


@modelled("sagemaker")
class FakeSagemaker:
    """A registry of one version."""

    def __init__(self, described: dict[str, Any]) -> None:
        self._described = described

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:  # noqa: N803
        assert ModelPackageName == PACKAGE
        return self._described


def in_registry(
    status: str = "Approved",
    url: str = f"s3://{BUCKET}/{SOURCE}",
    note: str = "",
    pointer: int = 0,
    **fields: Any,
) -> Any:
    described = {
        "ModelApprovalStatus": status,
        "InferenceSpecification": {"Containers": [{"ModelDataUrl": url}]},
        "ApprovalDescription": note,
        "CustomerMetadataProperties": {"approval": str(pointer)} if pointer else {},
        **fields,
    }
    return FakeSagemaker(described)


def notice(s3: FakeS3, sagemaker: Any) -> tuple[str, list[ApprovalRecord]]:
    """Let the registry announce a change; returns the outcome and the records."""
    outcome = packager.record_decision(services(s3, sagemaker=sagemaker), PACKAGE, 7.0)
    return outcome["outcome"], read_approvals(s3, BUCKET, NAME)


def test_approval_in_the_registry_itself_means_to_serve() -> None:
    s3 = bucket()
    gate = GateResult(passed=False, detail="worse than pca", override="a trial")
    registered = Registration(NAME, VERSION, sha256(package()), 1, "mini", "pca", gate)
    s3.objects[registration_key(NAME, VERSION)] = registered.to_json()
    identity = {"IamIdentity": {"Arn": "arn:bob"}}
    sagemaker = in_registry(note="shadow, or rollback", LastModifiedBy=identity)
    outcome, records = notice(s3, sagemaker)
    assert outcome == "recorded"
    assert records == [
        ApprovalRecord(
            NAME, VERSION, 1, "approved", "registry", "arn:bob", 7.0, sha256(package()), gate
        )
    ]
    assert run(s3, records[0])["outcome"] == "released"
    # The event is delivered again.
    assert notice(s3, sagemaker) == ("known", records)


def test_version_that_an_earlier_gustbed_registered_can_be_approved_in_the_registry() -> None:
    s3 = bucket()
    described: dict[str, Any] = {
        "ModelPackageDescription": "windturbine 1.2.0 (despite its quality gate: a trial)",
        "CustomerMetadataProperties": {"gate": "failed"},
    }
    outcome, (record,) = notice(s3, in_registry(**described))
    assert (outcome, record.sha256) == ("recorded", "")
    assert record.gate == GateResult(passed=False, detail="failed", override="a trial")
    assert run(s3, record)["outcome"] == "released"


@pytest.mark.parametrize(
    ("records", "status", "pointer", "written"),
    [
        ([], "PendingManualApproval", 0, None),
        ([], "Rejected", 0, None),
        # Ours, before and after the registry has learnt of it.
        ([approval(1)], "PendingManualApproval", 0, None),
        ([approval(1)], "Approved", 1, None),
        ([approval(1), approval(2, decision="rejected")], "Approved", 1, None),
        ([approval(1), approval(2, role="shadow")], "Rejected", 1, None),
        # Decided there after ours.
        ([approval(1)], "Rejected", 1, "rejected"),
        ([approval(1, decision="rejected")], "Approved", 1, "approved"),
        # Decided there twice.
        ([approval(1), approval(2, decision="rejected", source="registry")], "Approved", 1,
         "approved"),
        ([approval(1), approval(2, decision="rejected", source="registry")], "Rejected", 1, None),
        # The records were lost with the emulator's state.
        ([], "Approved", 3, None),
    ],
)  # fmt: skip
def test_only_what_was_decided_in_the_registry_gets_a_record(
    records: list[ApprovalRecord], status: str, pointer: int, written: str | None
) -> None:
    outcome, after = notice(bucket(*records), in_registry(status, pointer=pointer))
    new = after[len(records) :]
    assert [(each.decision, each.source) for each in new] == (
        [(written, "registry")] if written else []
    )
    assert outcome == ("recorded" if written else "known")


def test_record_of_another_version_takes_no_number_twice() -> None:
    class Busy(FakeS3):
        """Somebody decides on another version just before us."""

        def put_object(self, Bucket: str, Key: str, Body: bytes, **options: str) -> None:  # noqa: N803
            other = approval(1, version="1.1.0")
            self.objects.setdefault(approval_key(other), other.to_json())
            super().put_object(Bucket=Bucket, Key=Key, Body=Body, **options)

    outcome, records = notice(Busy(**bucket().objects), in_registry())
    assert outcome == "recorded"
    assert [(r.version, r.sequence) for r in records] == [("1.1.0", 1), (VERSION, 2)]


@pytest.mark.parametrize("key", ["approvals/windturbine/000001.json", "approvals/x/000002.json"])
def test_damaged_or_misplaced_approval_is_named(key: str) -> None:
    for data in (b"", b"{}", b"[]", approval(2).to_json()):
        s3 = bucket()
        s3.objects[key] = data
        with pytest.raises(GustbedError, match=key):
            packager.package(services(s3), key)


@pytest.mark.promise("S5")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not gzip",
        package()[:-30],
        gzip.compress(b"not tar", mtime=0),
        archive({"model.onnx": b"graph"}),
        archive({"manifest.json": b"{"}),
        archive({"manifest.json": b"[]"}),
        archive({"manifest.json": b'{"name": "windturbine"}'}),
        archive({"manifest.json": b" " * 2_000_000}),
        package(name="../../evil"),
        package(name="other"),
        package(version="1.2"),
        package(version="1.3.0"),
    ],
)
def test_untrusted_package_is_refused_and_nothing_is_written(data: bytes) -> None:
    record = approval()
    s3 = bucket(record, data=data)
    with pytest.raises(GustbedError):
        run(s3, record)
    assert s3.written == []


@pytest.mark.promise("S5")
def test_decompression_bomb_is_refused() -> None:
    bomb = archive({"model.onnx": b"\0" * 20_000_000, "manifest.json": b"{}"})
    assert len(bomb) < 50_000
    with pytest.raises(GustbedError, match="more than is sensible"):
        run(bucket(record := approval(), data=bomb), record)


def test_oversized_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    record = approval()
    limit = len(record.to_json())
    monkeypatch.setattr(packager, "MAX_PACKAGE_BYTES", limit)
    with pytest.raises(GustbedError, match=f"at most {limit}"):
        run(bucket(record, data=b"x" * (limit + 1)), record)


@pytest.mark.parametrize("url", ["s3://elsewhere/models/x", "https://example.com/x", ""])
def test_package_outside_the_artifact_bucket_is_refused(url: str) -> None:
    with pytest.raises(GustbedError):
        notice(bucket(), in_registry(url=url))
