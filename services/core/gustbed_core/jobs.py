"""The job document of a model rollout, and the statement that its signature covers."""

import base64
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from gustbed_core.errors import GustbedError

SCHEMA = 1
OPERATION_UPDATE_MODEL = "update_model"


Role = Literal["serve", "shadow"]
"""Whether a model takes over, or runs beside the serving one to be compared with it."""


@dataclass(frozen=True)
class Release:
    """What is signed: which package may be installed, in which role, and whether an older version
    may.

    ``sha256`` is the package archive's digest in hex, ``size`` its length in bytes.
    """

    name: str
    version: str
    size: int
    sha256: str
    rollback: bool = False
    role: Role = "serve"

    def statement(self) -> bytes:
        """Canonical JSON: sorted keys, no spaces, UTF-8."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    def digest(self) -> bytes:
        """SHA-256 of the statement: the message digest that KMS signs (ECDSA P-256)."""
        return hashlib.sha256(self.statement()).digest()


@dataclass(frozen=True)
class Signature:
    """A detached ECDSA P-256 signature over ``Release.digest()``: DER, base64."""

    value: str
    key_id: str

    @classmethod
    def from_bytes(cls, der: bytes, key_id: str) -> "Signature":
        """Wrap KMS's answer."""
        return cls(base64.b64encode(der).decode("ascii"), key_id)

    def der(self) -> bytes:
        """Raises ``ValueError`` if the value is not base64."""
        return base64.b64decode(self.value, validate=True)


@dataclass(frozen=True)
class JobDocument:
    """What the edge is asked to do. ``url`` is a presigned URL when the edge reads it."""

    release: Release
    url: str
    signature: Signature
    operation: str = OPERATION_UPDATE_MODEL
    schema: int = SCHEMA


def presigned_placeholder(bucket: str, key: str, region: str) -> str:
    """What AWS IoT Jobs replaces by a presigned URL when a device asks for the document.

    Source: AWS IoT Core developer guide, "Presigned URLs".
    """
    return f"${{aws:iot:s3-presigned-url:https://s3.{region}.amazonaws.com/{bucket}/{key}}}"


def package_prefix(name: str, version: str) -> str:
    """Where a version lies in the artifact bucket: ``<prefix>/package.tar.gz``, its jobs below."""
    return f"releases/{name}/{version}"


def job_key(release: Release) -> str:
    """Where a release's job document lies there: a version may be a shadow first, serve later."""
    prefix = package_prefix(release.name, release.version)
    place = prefix if release.role == "serve" else f"{prefix}/{release.role}"
    return f"{place}/{JOB_FILE}"


PACKAGE_FILE = "package.tar.gz"
JOB_FILE = "job.json"
RELEASE_FILE = "release.json"
"""Beside a package at rest: ``{"release": {…}, "signature": {"value", "key_id"}}``."""


def release_to_json(release: Release, signature: Signature) -> bytes:
    """The content of ``release.json``."""
    content = {"release": asdict(release), "signature": asdict(signature)}
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def release_from_json(data: bytes) -> tuple[Release, Signature]:
    """Read ``release.json``. Raises ``GustbedError`` if a field is missing or of a wrong type."""
    try:
        content = json.loads(data)
        release = Release(**content["release"])
        signature = Signature(**content["signature"])
    except (ValueError, KeyError, TypeError) as error:
        raise GustbedError(RELEASE_FILE, f"not a signed release: {error}") from error
    texts = (release.name, release.version, release.sha256, signature.value, signature.key_id)
    if not (
        all(type(text) is str for text in texts)
        and type(release.size) is int
        and type(release.rollback) is bool
        and release.role in get_args(Role)
    ):
        raise GustbedError(RELEASE_FILE, "a field has the wrong type")
    return release, signature
