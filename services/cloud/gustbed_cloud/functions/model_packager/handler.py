"""Turn an approved model version into a signed release in the artifact bucket.

Approval in the registry brings an EventBridge event here. The archive is untrusted input: only
its manifest is read, in memory, with a bound on every size. Running twice is harmless.
"""

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import zlib
from dataclasses import asdict, replace
from typing import Any, get_args
from urllib.parse import urlsplit

from gustbed_core import jobs
from gustbed_core.errors import GustbedError
from gustbed_core.topics import level

MAX_PACKAGE_BYTES = 64 * 1024 * 1024
MAX_UNPACKED_BYTES = 256 * 1024 * 1024
MAX_MANIFEST_BYTES = 1024 * 1024
MANIFEST = "manifest.json"
ROLLBACK, SHADOW = "rollback", "shadow"
"""First word of an approval's description: the version may be installed over a newer one, or is to
run beside the serving one.
"""


class _Bounded:
    """A stream that refuses to give more than so many bytes."""

    def __init__(self, inner: gzip.GzipFile, limit: int) -> None:
        self._inner = inner
        self._left = limit

    def read(self, size: int) -> bytes:
        chunk = self._inner.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise GustbedError("package", "unpacks to more than is sensible: refused")
        return chunk


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """React to "SageMaker Model Package State Change". Raises on failure, to be called again."""
    import boto3

    session = boto3.session.Session()
    return package(
        event["detail"]["ModelPackageArn"],
        sagemaker=session.client("sagemaker"),
        s3=session.client("s3"),
        kms=session.client("kms"),
        bucket=os.environ["ARTIFACT_BUCKET"],
        key_id=os.environ["SIGNING_KEY_ID"],
        region=session.region_name,
    )


def package(
    arn: str, *, sagemaker: Any, s3: Any, kms: Any, bucket: str, key_id: str, region: str
) -> dict[str, Any]:
    """Describe, check, sign and lay out. Raises ``GustbedError`` saying what is wrong."""
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    if described["ModelApprovalStatus"] != "Approved":
        # The approval was withdrawn between the event and now.
        return _done("skipped", arn, f"status is {described['ModelApprovalStatus']}")
    source = described["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    data = fetch(s3, bucket, source)
    release = release_of(data, source, str(described.get("ApprovalDescription") or ""))
    refuse_changed(s3, bucket, release)
    document = sign(kms, key_id, release, bucket, region)
    prefix = jobs.package_prefix(release.name, release.version)
    s3.put_object(Bucket=bucket, Key=f"{prefix}/{jobs.PACKAGE_FILE}", Body=data)
    # Last, because its arrival starts the rollout.
    body = json.dumps(asdict(document), sort_keys=True).encode()
    key = jobs.job_key(release)
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    return _done("released", arn, key)


def fetch(s3: Any, bucket: str, url: str) -> bytes:
    """Download a registered package. Only from the fleet's own bucket, and only so large."""
    place = urlsplit(url)
    if place.scheme != "s3" or place.netloc != bucket:
        raise GustbedError(url, f"register the package in s3://{bucket}/models/")
    answer = s3.get_object(Bucket=bucket, Key=place.path.lstrip("/"))
    if answer["ContentLength"] > MAX_PACKAGE_BYTES:
        raise GustbedError(url, f"{answer['ContentLength']} bytes, at most {MAX_PACKAGE_BYTES}")
    data: bytes = answer["Body"].read(MAX_PACKAGE_BYTES + 1)
    return data


def release_of(data: bytes, source: str, note: str) -> jobs.Release:
    """Read name and version from the manifest; they must agree with the place in the bucket.

    ``note`` is the approval's description; its first word may be ``ROLLBACK`` or ``SHADOW``.
    """
    manifest = read_manifest(data)
    try:
        name, version = level(str(manifest["name"])), level_version(str(manifest["version"]))
    except (KeyError, ValueError) as error:
        raise GustbedError(
            f"{source}: {MANIFEST}", f"no usable name and version: {error}"
        ) from error
    expected = f"/models/{name}/{version}/{jobs.PACKAGE_FILE}"
    if urlsplit(source).path != expected:
        raise GustbedError(source, f"{MANIFEST} says {name} {version}: register it anew")
    said = re.split(r"\W", note.lower(), maxsplit=1)[0]
    return jobs.Release(
        name,
        version,
        len(data),
        hashlib.sha256(data).hexdigest(),
        rollback=said == ROLLBACK,
        role="shadow" if said == SHADOW else "serve",
    )


def level_version(version: str) -> str:
    """Return ``MAJOR.MINOR.PATCH``, else raise ``ValueError``."""
    parts = version.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"version {version!r} is not MAJOR.MINOR.PATCH")
    return version


def read_manifest(data: bytes) -> dict[str, Any]:
    """Read ``manifest.json`` out of the archive. Raises ``GustbedError``."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked:
            stream: Any = _Bounded(unpacked, MAX_UNPACKED_BYTES)
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    if member.name == MANIFEST and member.isreg():
                        return _manifest(archive, member)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise GustbedError("package", f"not a readable archive: {error}") from error
    raise GustbedError("package", f"no {MANIFEST} in it")


def _manifest(archive: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
    if member.size > MAX_MANIFEST_BYTES:
        raise GustbedError(MANIFEST, f"{member.size} bytes, at most {MAX_MANIFEST_BYTES}")
    file = archive.extractfile(member)
    try:
        manifest = json.loads(file.read() if file else b"")
    except ValueError as error:
        raise GustbedError(MANIFEST, f"not JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise GustbedError(MANIFEST, "not a JSON object")
    return manifest


def refuse_changed(s3: Any, bucket: str, release: jobs.Release) -> None:
    """Raise ``GustbedError`` if this version was released before with other bytes."""
    for role in get_args(jobs.Role):
        key = jobs.job_key(replace(release, role=role))
        try:
            earlier = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except s3.exceptions.NoSuchKey:
            continue
        if earlier["release"]["sha256"] != release.sha256:
            raise GustbedError(
                f"{release.name} {release.version}",
                "released before with other bytes: raise the version",
            )


def sign(
    kms: Any, key_id: str, release: jobs.Release, bucket: str, region: str
) -> jobs.JobDocument:
    """Return the job document with KMS's signature over the release."""
    answer = kms.sign(
        KeyId=key_id,
        Message=release.digest(),
        MessageType="DIGEST",
        SigningAlgorithm="ECDSA_SHA_256",
    )
    key = f"{jobs.package_prefix(release.name, release.version)}/{jobs.PACKAGE_FILE}"
    return jobs.JobDocument(
        release=release,
        url=jobs.presigned_placeholder(bucket, key, region),
        signature=jobs.Signature.from_bytes(answer["Signature"], key_id),
    )


def _done(outcome: str, arn: str, detail: str) -> dict[str, Any]:
    result = {"outcome": outcome, "model_package": arn, "detail": detail}
    print(json.dumps({"level": "info", **result}))
    return result
