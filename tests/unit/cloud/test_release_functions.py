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

from gustbed_core.errors import GustbedError
from gustbed_core.jobs import Release
from gustbed_core.package import sha256
from tests.unit.cloud.functions import ExistsError, FakeS3, load

packager, creator = load("model_packager"), load("job_creator")
BUCKET, KEY_ID, REGION = "artifacts", "key-1", "eu-central-1"
SOURCE = "models/windturbine/1.2.0/package.tar.gz"


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
    return gzip.compress(raw.getvalue(), mtime=0)


def package(name: str = "windturbine", version: str = "1.2.0") -> bytes:
    manifest = json.dumps({"name": name, "version": version}).encode()
    return archive({"manifest.json": manifest, "model.onnx": b"graph"})


def registry(
    status: str = "Approved", url: str = f"s3://{BUCKET}/{SOURCE}", note: str | None = None
) -> Any:
    described = {
        "ModelApprovalStatus": status,
        "InferenceSpecification": {"Containers": [{"ModelDataUrl": url}]},
        **({"ApprovalDescription": note} if note else {}),
    }
    return SimpleNamespace(describe_model_package=lambda ModelPackageName: described)  # noqa: N803


def run(s3: FakeS3, kms: FakeKms | None = None, sagemaker: Any = None) -> dict[str, Any]:
    result: dict[str, Any] = packager.package(
        "arn:package",
        sagemaker=sagemaker or registry(),
        s3=s3,
        kms=kms or FakeKms(),
        bucket=BUCKET,
        key_id=KEY_ID,
        region=REGION,
    )
    return result


def test_release_is_signed_and_the_job_document_comes_last() -> None:
    data, kms = package(), FakeKms()
    s3 = FakeS3(**{SOURCE: data})
    assert run(s3, kms)["outcome"] == "released"
    prefix = "releases/windturbine/1.2.0"
    assert s3.written == [f"{prefix}/package.tar.gz", f"{prefix}/job.json"]
    assert s3.objects[f"{prefix}/package.tar.gz"] == data
    document = json.loads(s3.objects[f"{prefix}/job.json"])
    release = Release(**document["release"])
    assert release == Release("windturbine", "1.2.0", len(data), sha256(data))
    assert document["operation"] == "update_model"
    assert document["url"] == (
        "${aws:iot:s3-presigned-url:https://s3.eu-central-1.amazonaws.com/"
        "artifacts/releases/windturbine/1.2.0/package.tar.gz}"
    )
    assert document["signature"]["key_id"] == KEY_ID
    der = base64.b64decode(document["signature"]["value"])
    kms.private.public_key().verify(der, release.digest(), ec.ECDSA(Prehashed(SHA256())))


def test_running_twice_lays_out_the_same_release() -> None:
    s3 = FakeS3(**{SOURCE: package()})
    run(s3)
    first = json.loads(s3.objects["releases/windturbine/1.2.0/job.json"])["release"]
    run(s3)
    assert json.loads(s3.objects["releases/windturbine/1.2.0/job.json"])["release"] == first


def test_version_released_before_with_other_bytes_is_refused() -> None:
    s3 = FakeS3(**{SOURCE: package()})
    run(s3)
    s3.objects[SOURCE] = package() + b"\x00"
    with pytest.raises(GustbedError, match="other bytes"):
        run(s3)


def test_approval_that_was_withdrawn_releases_nothing() -> None:
    s3 = FakeS3(**{SOURCE: package()})
    assert run(s3, sagemaker=registry("Rejected"))["outcome"] == "skipped"
    assert s3.written == []


@pytest.mark.parametrize(
    ("note", "rollback"),
    [
        (None, False),
        ("ok", False),
        ("no rollback", False),
        ("rollback", True),
        ("Rollback: 1.3.0 is bad", True),
    ],
)
def test_rollback_is_signed_only_when_the_approval_says_so(
    note: str | None, rollback: bool
) -> None:
    s3 = FakeS3(**{SOURCE: package()})
    run(s3, sagemaker=registry(note=note))
    document = json.loads(s3.objects["releases/windturbine/1.2.0/job.json"])
    assert document["release"]["rollback"] is rollback


def test_shadow_is_released_beside_the_serving_release_of_the_same_version() -> None:
    s3 = FakeS3(**{SOURCE: package()})
    run(s3, sagemaker=registry(note="shadow (for a week)"))
    prefix = "releases/windturbine/1.2.0"
    assert s3.written == [f"{prefix}/package.tar.gz", f"{prefix}/shadow/job.json"]
    run(s3, sagemaker=registry(note="promoted"))
    shadow, serve = (
        json.loads(s3.objects[f"{prefix}/{key}"]) for key in ("shadow/job.json", "job.json")
    )
    assert (shadow["release"]["role"], serve["release"]["role"]) == ("shadow", "serve")
    # The same package: one download link for both.
    assert shadow["url"] == serve["url"]
    assert Release(**shadow["release"]).digest() != Release(**serve["release"]).digest()


def test_version_that_was_a_shadow_with_other_bytes_is_refused() -> None:
    s3 = FakeS3(**{SOURCE: package()})
    run(s3, sagemaker=registry(note="shadow"))
    s3.objects[SOURCE] = package() + b"\x00"
    with pytest.raises(GustbedError, match="other bytes"):
        run(s3)


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
def test_s5_untrusted_package_is_refused_and_nothing_is_written(data: bytes) -> None:
    s3 = FakeS3(**{SOURCE: data})
    with pytest.raises(GustbedError):
        run(s3)
    assert s3.written == []


def test_s5_decompression_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packager, "MAX_UNPACKED_BYTES", 100_000)
    bomb = archive({"model.onnx": b"\0" * 1_000_000, "manifest.json": b"{}"})
    assert len(bomb) < 10_000
    with pytest.raises(GustbedError, match="more than is sensible"):
        run(FakeS3(**{SOURCE: bomb}))


def test_oversized_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packager, "MAX_PACKAGE_BYTES", 10)
    with pytest.raises(GustbedError, match="at most 10"):
        run(FakeS3(**{SOURCE: package()}))


@pytest.mark.parametrize("url", ["s3://elsewhere/models/x", "https://example.com/x", ""])
def test_package_outside_the_artifact_bucket_is_refused(url: str) -> None:
    with pytest.raises(GustbedError):
        run(FakeS3(**{SOURCE: package()}), sagemaker=registry(url=url))


ENV = {
    "THING_GROUP_ARN": "arn:aws:iot:eu-central-1:000000000000:thinggroup/gustbed-edges",
    "PRESIGN_ROLE_ARN": "arn:aws:iam::000000000000:role/presign",
    "ROLLOUT_PER_MINUTE": "60",
    "ABORT_THRESHOLD_PERCENT": "20",
    "ABORT_MINIMUM_THINGS": "2",
    "TIMEOUT_MINUTES": "10",
}
JOB = "releases/windturbine/1.2.0/job.json"
SHADOW_JOB = "releases/windturbine/1.2.0/shadow/job.json"


class FakeIot:
    exceptions = SimpleNamespace(ResourceAlreadyExistsException=ExistsError)

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}

    def create_job(self, **request: Any) -> None:
        if request["jobId"] in self.jobs:
            raise ExistsError
        self.jobs[request["jobId"]] = request


def released(note: str | None = None) -> FakeS3:
    s3 = FakeS3(**{SOURCE: package()})
    run(s3, sagemaker=registry(note=note))
    return s3


def test_job_goes_to_the_group_with_pace_timeout_and_abort() -> None:
    s3, iot = released(), FakeIot()
    job_id = creator.create(BUCKET, JOB, s3, iot, ENV)
    job = iot.jobs[job_id]
    assert job["targets"] == [ENV["THING_GROUP_ARN"]]
    assert job["document"] == s3.objects[JOB].decode()
    assert job["presignedUrlConfig"]["roleArn"] == ENV["PRESIGN_ROLE_ARN"]
    assert job["jobExecutionsRolloutConfig"] == {"maximumPerMinute": 60}
    assert job["timeoutConfig"] == {"inProgressTimeoutInMinutes": 10}
    assert {row["failureType"] for row in job["abortConfig"]["criteriaList"]} == {
        "FAILED",
        "TIMED_OUT",
    }


def test_repeated_notification_creates_one_job() -> None:
    s3, iot = released(), FakeIot()
    first = creator.create(BUCKET, JOB, s3, iot, ENV)
    run(s3)  # the approval was announced twice too, and the signature differs
    assert creator.create(BUCKET, JOB, s3, iot, ENV) == first
    assert len(iot.jobs) == 1


def test_shadow_and_serving_release_of_a_version_are_two_jobs() -> None:
    iot = FakeIot()
    shadow = creator.create(BUCKET, SHADOW_JOB, released("shadow"), iot, ENV)
    serve = creator.create(BUCKET, JOB, released(), iot, ENV)
    assert {iot.jobs[job]["description"] for job in (shadow, serve)} == {
        "windturbine 1.2.0 shadow",
        "windturbine 1.2.0",
    }


def test_release_in_the_place_of_another_role_creates_no_job() -> None:
    iot = FakeIot()
    for there, note in ((JOB, "shadow"), (SHADOW_JOB, None)):
        s3 = released(note)
        document = s3.objects[SHADOW_JOB if note else JOB]
        with pytest.raises(GustbedError, match=r"says that it is windturbine 1\.2\.0"):
            creator.create(BUCKET, there, FakeS3(**{there: document}), iot, ENV)
    assert iot.jobs == {}


def test_job_ids_differ_by_release_and_keep_to_what_iot_accepts() -> None:
    release = Release("a" * 63, "999999999.999999999.999999999", 1, "0" * 64)
    ids = {
        creator.job_id_of(release),
        creator.job_id_of(replace(release, rollback=True)),
        creator.job_id_of(replace(release, role="shadow")),
        creator.job_id_of(replace(release, sha256="1" * 64)),
    }
    assert len(ids) == 4
    for job_id in ids:
        assert 1 <= len(job_id) <= 64
        assert job_id.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"release": {}}',
        b"x" * 40_000,
        b'{"release": {"name": "windturbine", "version": "1.2.0", "size": 1, "sha256": "0"},'
        b' "operation": "format_disk", "schema": 1}',
        b'{"release": {"name": "windturbine", "version": "1.2.0", "size": 1, "sha256": "0",'
        b' "role": "king"}, "operation": "update_model", "schema": 1}',
        b'{"release": {"name": "other", "version": "1.2.0", "size": 1, "sha256": "0"},'
        b' "operation": "update_model", "schema": 1}',
    ],
)
def test_document_that_is_none_creates_no_job(text: bytes) -> None:
    iot = FakeIot()
    with pytest.raises(GustbedError, match="releases/windturbine"):
        creator.create(BUCKET, JOB, FakeS3(**{JOB: text}), iot, ENV)
    assert iot.jobs == {}
