"""The job document of a model rollout, and the statement that its signature covers."""

import base64
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

from gustbed_core.errors import GustbedError
from gustbed_core.records import RecordError, read_record

SCHEMA = 2
FIRST_SCHEMA = 1
"""Of documents whose signature names neither target, sequence nor expiry: read, not followed."""
OPERATION_UPDATE_MODEL = "update_model"
VALID_SECONDS = 30 * 86400
"""How long a signed order may be followed."""
THING_TARGET = "thing:"
"""Before the name of the one thing that an order is for."""

Role = Literal["serve", "shadow"]
"""Whether a model takes over, or runs beside the serving one to be compared with it."""


@dataclass(frozen=True)
class Release:
    """What is signed: which package may be installed, in which role, whether an older version may;
    and for whom, after which other orders and how long that holds.

    ``sha256`` is the package archive's digest in hex, ``size`` its length in bytes. ``sequence``
    grows with every order about a model; ``issued`` and ``expires`` are Unix seconds; ``target`` is
    the name of a thing group, or ``thing:<name>``. These four are 0 and empty for a package at rest
    that nobody ordered, as the factory's.
    """

    name: str
    version: str
    size: int
    sha256: str
    rollback: bool = False
    role: Role = "serve"
    sequence: int = 0
    issued: int = 0
    expires: int = 0
    target: str = ""

    def statement(self) -> bytes:
        """Canonical JSON: sorted keys, no spaces, UTF-8. What is no order is signed as before."""
        content = asdict(self)
        if not self.is_order:
            for name in _OF_ORDERS:
                del content[name]
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()

    @property
    def is_order(self) -> bool:
        """Whether it says anything of whom it is for, when and how long."""
        return any(getattr(self, name) for name in _OF_ORDERS)

    def digest(self) -> bytes:
        """SHA-256 of the statement: the message digest that KMS signs (ECDSA P-256)."""
        return hashlib.sha256(self.statement()).digest()


_OF_ORDERS = ("sequence", "issued", "expires", "target")


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
    """What the edge is asked to do. ``url`` is a presigned URL when the edge reads it.

    ``rollout`` names the approval that this is for: it is the job's id, too. Empty in documents of
    earlier versions.
    """

    release: Release
    url: str
    signature: Signature
    operation: str = OPERATION_UPDATE_MODEL
    schema: int = SCHEMA
    rollout: str = ""


class DocumentError(GustbedError):
    """A job document that cannot be followed. ``reason`` is a code for job status details."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read_job_document(content: object) -> JobDocument:
    """Check a decoded job document, which is untrusted input. Raises ``DocumentError``.

    Takes earlier ones, too, so that they can be listed.
    """
    try:
        document = read_record(JobDocument, content)
    except RecordError as error:
        raise DocumentError("bad_document", error.detail) from error
    if document.schema not in (SCHEMA, FIRST_SCHEMA):
        raise DocumentError("wrong_schema", f"job document schema {document.schema}")
    if document.operation != OPERATION_UPDATE_MODEL:
        raise DocumentError("wrong_operation", f"operation {document.operation[:60]!r}")
    return document


def presigned_placeholder(
    bucket: str, key: str, region: str, url_suffix: str = "amazonaws.com"
) -> str:
    """What AWS IoT Jobs replaces by a presigned URL when a device asks for the document.

    ``url_suffix`` is the partition's: China has another one.

    Source: AWS IoT Core developer guide, "Presigned URLs".
    """
    return f"${{aws:iot:s3-presigned-url:https://s3.{region}.{url_suffix}/{bucket}/{key}}}"


def release_key(name: str, version: str) -> str:
    """Where a released package lies in the artifact bucket, for all its rollouts."""
    return f"releases/{name}/{version}/{PACKAGE_FILE}"


def job_key(document: JobDocument) -> str:
    """Where a rollout's job document lies there; its arrival starts the rollout."""
    release = document.release
    return f"releases/{release.name}/{release.version}/{document.rollout}/{JOB_FILE}"


def welcome_prefix(group: str) -> str:
    """How the ids of jobs begin that bring a newly enrolled edge of a group what is in force."""
    return f"{group}-welcome-"


PACKAGE_FILE = "package.tar.gz"
JOB_FILE = "job.json"
RELEASE_FILE = "release.json"
"""Beside a package at rest: ``{"release": {…}, "signature": {"value", "key_id"}}``."""


@dataclass(frozen=True)
class _SignedRelease:
    release: Release
    signature: Signature


def release_to_json(release: Release, signature: Signature) -> bytes:
    """The content of ``release.json``."""
    content = asdict(_SignedRelease(release, signature))
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def release_from_json(data: bytes) -> tuple[Release, Signature]:
    """Read ``release.json``. Raises ``GustbedError`` if a field is missing or of a wrong type."""
    try:
        signed = read_record(_SignedRelease, json.loads(data))
    except (ValueError, RecordError) as error:
        raise GustbedError(RELEASE_FILE, f"not a signed release: {error}") from error
    return signed.release, signed.signature
