"""An artifact bucket with packages, approvals and releases, and what signs them."""

import gzip
import io
import json
import tarfile
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from gustbed_core.approvals import ApprovalRecord, approval_key
from gustbed_core.registrations import GateResult
from tests.support.aws_contract import modelled
from tests.support.aws_rights import environment
from tests.unit.cloud.functions import FakeS3, load

packager = load("model_packager")
ENV = environment("model_packager")
BUCKET, KEY_ID = ENV["ARTIFACT_BUCKET"], ENV["SIGNING_KEY_ID"]
REGION, GROUP = "eu-central-1", ENV["THING_GROUP_NAME"]
NAME, VERSION = "windturbine", "1.2.0"
SOURCE = f"models/{NAME}/{VERSION}/package.tar.gz"
RELEASED = f"releases/{NAME}/{VERSION}/package.tar.gz"


@modelled("kms")
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
    return packager.Services(s3, kms or FakeKms(), sagemaker, BUCKET, KEY_ID, REGION, GROUP)


def run(s3: FakeS3, record: ApprovalRecord, kms: FakeKms | None = None) -> dict[str, Any]:
    """Let a record arrive."""
    result: dict[str, Any] = packager.package(services(s3, kms), approval_key(record))
    return result


def job_of(record: ApprovalRecord) -> str:
    return f"releases/{record.model}/{record.version}/{record.rollout}/job.json"


def released(*records: ApprovalRecord) -> FakeS3:
    s3 = bucket(*records)
    for record in records:
        run(s3, record)
    return s3
