"""model_packager and job_creator: from an approved version to a rollout."""

import base64
import gzip
import io
import json
import tarfile
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from gustbed_core.approvals import ApprovalRecord, approval_key
from gustbed_core.errors import GustbedError
from gustbed_core.jobs import Release, read_job_document
from gustbed_core.package import sha256
from gustbed_core.registrations import GateResult, Registration, registration_key
from tests.unit.cloud.functions import CLOUD, ExistsError, FakeS3, load, load_from

packager, creator = load("model_packager"), load("job_creator")
archives = load_from(CLOUD / "functions", "model_packager.archive")
BUCKET, KEY_ID, REGION = "artifacts", "key-1", "eu-central-1"
NAME, VERSION = "windturbine", "1.2.0"
SOURCE = f"models/{NAME}/{VERSION}/package.tar.gz"
RELEASED = f"releases/{NAME}/{VERSION}/package.tar.gz"


class FakeKms:
    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())

    def sign(self, **request: Any) -> dict[str, bytes]:
        assert request["KeyId"] == KEY_ID
        assert request["MessageType"] == "DIGEST"
        assert request["SigningAlgorithm"] == "ECDSA_SHA_256"
        return {"Signature": self.private.sign(request["Message"], ec.ECDSA(Prehashed(SHA256())))}


def archive(members: dict[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(raw.getvalue())


def package(name: str = "windturbine", version: str = "1.2.0") -> bytes:
    manifest = json.dumps({"name": name, "version": version}).encode()
    return archive({"manifest.json": manifest, "model.onnx": b"graph"})


def approval(sequence: int = 1, **changes: Any) -> ApprovalRecord:
    first = ApprovalRecord(
        NAME, VERSION, sequence, "approved", "operator", "arn:ann", 1.0, "", GateResult(passed=True)
    )
    return replace(first, **changes)


def bucket(*records: ApprovalRecord, data: bytes | None = None) -> FakeS3:
    """An artifact bucket with a registered package and records about it."""
    objects = {approval_key(record): record.to_json() for record in records}
    return FakeS3(**{SOURCE: package() if data is None else data}, **objects)


def services(s3: FakeS3, kms: FakeKms | None = None, sagemaker: Any = None) -> Any:
    return packager.Services(s3, kms or FakeKms(), sagemaker, BUCKET, KEY_ID, REGION)


def run(s3: FakeS3, record: ApprovalRecord, kms: FakeKms | None = None) -> dict[str, Any]:
    """Let a record arrive."""
    result: dict[str, Any] = packager.package(services(s3, kms), approval_key(record))
    return result


def job_of(record: ApprovalRecord) -> str:
    return f"releases/{record.model}/{record.version}/{record.rollout}/job.json"


def test_release_is_signed_and_the_job_document_comes_last() -> None:
    data, kms, record = package(), FakeKms(), approval()
    s3 = bucket(record, data=data)
    assert run(s3, record, kms)["outcome"] == "released"
    assert s3.written == [RELEASED, job_of(record)]
    assert s3.objects[RELEASED] == data
    document = read_job_document(json.loads(s3.objects[job_of(record)]))
    assert document.release == Release(NAME, VERSION, len(data), sha256(data))
    assert document.rollout == record.rollout
    assert document.operation == "update_model"
    assert document.url == (
        "${aws:iot:s3-presigned-url:https://s3.eu-central-1.amazonaws.com/"
        "artifacts/releases/windturbine/1.2.0/package.tar.gz}"
    )
    assert document.signature.key_id == KEY_ID
    der = base64.b64decode(document.signature.value)
    message = document.release.digest()
    kms.private.public_key().verify(der, message, ec.ECDSA(Prehashed(SHA256())))


def test_running_twice_lays_out_the_same_release() -> None:
    record = approval()
    s3 = bucket(record)
    run(s3, record)
    first = json.loads(s3.objects[job_of(record)])["release"]
    run(s3, record)
    assert json.loads(s3.objects[job_of(record)])["release"] == first
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
    return SimpleNamespace(describe_model_package=lambda ModelPackageName: described)  # noqa: N803


def notice(s3: FakeS3, sagemaker: Any) -> tuple[str, list[ApprovalRecord]]:
    """Let the registry announce a change; returns the outcome and the records."""
    from gustbed_cloud.approval_store import read_approvals

    outcome = packager.record_decision(services(s3, sagemaker=sagemaker), "arn:package", 7.0)
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
    described = {
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
            super().put_object(Bucket, Key, Body, **options)

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


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not gzip",
        package()[:-30],
        gzip.compress(b"not tar"),
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
def test_s5_untrusted_package_is_refused_and_nothing_is_written(data: bytes) -> None:
    record = approval()
    s3 = bucket(record, data=data)
    with pytest.raises(GustbedError):
        run(s3, record)
    assert s3.written == []


def test_s5_decompression_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 100_000)
    bomb = archive({"model.onnx": b"\0" * 1_000_000, "manifest.json": b"{}"})
    assert len(bomb) < 10_000
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


ENV = {
    "THING_GROUP_ARN": "arn:aws:iot:eu-central-1:000000000000:thinggroup/gustbed-edges",
    "PRESIGN_ROLE_ARN": "arn:aws:iam::000000000000:role/presign",
    "ROLLOUT_PER_MINUTE": "60",
    "ABORT_THRESHOLD_PERCENT": "20",
    "ABORT_MINIMUM_THINGS": "2",
    "TIMEOUT_MINUTES": "10",
}


class FakeIot:
    exceptions = SimpleNamespace(ResourceAlreadyExistsException=ExistsError)

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}

    def create_job(self, **request: Any) -> None:
        if request["jobId"] in self.jobs:
            raise ExistsError
        self.jobs[request["jobId"]] = request


def released(*records: ApprovalRecord) -> FakeS3:
    s3 = bucket(*records)
    for record in records:
        run(s3, record)
    return s3


def test_job_goes_to_the_group_with_pace_timeout_and_abort() -> None:
    record, iot = approval(), FakeIot()
    s3 = released(record)
    job_id = creator.create(BUCKET, job_of(record), s3, iot, ENV)
    assert job_id == record.rollout
    job = iot.jobs[job_id]
    assert job["targets"] == [ENV["THING_GROUP_ARN"]]
    assert job["document"] == s3.objects[job_of(record)].decode()
    assert job["presignedUrlConfig"]["roleArn"] == ENV["PRESIGN_ROLE_ARN"]
    assert job["jobExecutionsRolloutConfig"] == {"maximumPerMinute": 60}
    assert job["timeoutConfig"] == {"inProgressTimeoutInMinutes": 10}
    assert {row["failureType"] for row in job["abortConfig"]["criteriaList"]} == {
        "FAILED",
        "TIMED_OUT",
    }


def test_repeated_notification_creates_one_job() -> None:
    record, iot = approval(), FakeIot()
    s3 = released(record)
    first = creator.create(BUCKET, job_of(record), s3, iot, ENV)
    run(s3, record)  # the approval was announced twice too, and the signature differs
    assert creator.create(BUCKET, job_of(record), s3, iot, ENV) == first
    assert len(iot.jobs) == 1


def test_every_approval_is_a_job_of_its_own() -> None:
    records = [approval(1, role="shadow"), approval(2), approval(3), approval(4, rollback=True)]
    s3, iot = released(*records), FakeIot()
    jobs = [creator.create(BUCKET, job_of(record), s3, iot, ENV) for record in records]
    assert jobs == [record.rollout for record in records]
    assert len(set(jobs)) == 4


def test_document_in_the_place_of_another_rollout_creates_no_job() -> None:
    first, second, iot = approval(1), approval(2), FakeIot()
    document = released(first).objects[job_of(first)]
    with pytest.raises(GustbedError, match=f"says that it is {job_of(first)}"):
        creator.create(BUCKET, job_of(second), FakeS3(**{job_of(second): document}), iot, ENV)
    assert iot.jobs == {}


def test_job_ids_differ_by_record_and_keep_to_what_iot_accepts() -> None:
    record = approval(999_999, model="a" * 63, version="999999999.999999999.999999999")
    ids = {
        record.rollout,
        replace(record, sequence=1).rollout,
        replace(record, model="a" * 62).rollout,
        replace(record, version="1.0.0").rollout,
    }
    assert len(ids) == 4
    for job_id in ids:
        assert 1 <= len(job_id) <= 64
        assert job_id.replace("-", "").replace("_", "").isalnum()


_RELEASE = '"name": "windturbine", "version": "1.2.0", "size": 1, "sha256": "0"'
_REST = (
    '"url": "", "signature": {"value": "", "key_id": ""}, "operation": "update_model", "schema": 1'
)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"release": {}}',
        b"x" * 40_000,
        f'{{"release": {{{_RELEASE}}}, {_REST}}}',
        f'{{"release": {{{_RELEASE}}}, {_REST}, "rollout": "../x"}}',
        f'{{"release": {{{_RELEASE}}}, {_REST.replace("update_model", "format")}, "rollout": "r"}}',
        f'{{"release": {{{_RELEASE}}}, {_REST.replace("1", "2")}, "rollout": "r"}}',
        f'{{"release": {{{_RELEASE}, "role": "king"}}, {_REST}, "rollout": "r"}}',
        f'{{"release": {{{_RELEASE.replace("1.2.0", "1.2.1")}}}, {_REST}, "rollout": "r"}}',
    ],
)
def test_document_that_is_none_creates_no_job(text: bytes | str) -> None:
    iot, key = FakeIot(), "releases/windturbine/1.2.0/r/job.json"
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(GustbedError, match="releases/windturbine"):
        creator.create(BUCKET, key, FakeS3(**{key: data}), iot, ENV)
    assert iot.jobs == {}


def test_document_in_its_place_creates_one() -> None:
    iot, key = FakeIot(), "releases/windturbine/1.2.0/r/job.json"
    text = f'{{"release": {{{_RELEASE}}}, {_REST}, "rollout": "r"}}'
    assert creator.create(BUCKET, key, FakeS3(**{key: text.encode()}), iot, ENV) == "r"
