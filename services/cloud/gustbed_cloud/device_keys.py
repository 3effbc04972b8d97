"""Which key a device may have: the first one is pinned, a revoked one stays out.

The pin is kept where no device can write: as an attribute of the thing, which every provisioner
reads, and in a record of the provisioner's own, which outlives an emulator that forgets.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509

from gustbed_cloud.requests import fingerprint
from gustbed_core.codec import decoder, encode
from gustbed_core.enrolment import DeviceRole
from gustbed_core.errors import GustbedError, PayloadError

RECORDS = "records"
KEY_ATTRIBUTE, ROLE_ATTRIBUTE, STACK_ATTRIBUTE = "key", "role", "stack"
OUT_OF_USE = ("INACTIVE", "REVOKED")
EDGE_NAME = re.compile(r"gustbed-(?P<site>.+)")


@dataclass(frozen=True)
class Record:
    """What the provisioner remembers of a thing: role, pinned key, and keys that stay out."""

    role: DeviceRole = "edge"
    key: str = ""
    barred: tuple[str, ...] = ()


@dataclass(frozen=True)
class Certificate:
    """A certificate that is attached to a thing."""

    arn: str
    pem: bytes
    status: str
    key: str


@dataclass(frozen=True)
class Registered:
    """What the cloud knows of a thing. ``pinned`` and ``role`` are empty if it never said."""

    exists: bool = False
    attributes: dict[str, str] = field(default_factory=dict)
    certificates: tuple[Certificate, ...] = ()

    @property
    def pinned(self) -> str:
        """The key that the thing was enrolled with."""
        return self.attributes.get(KEY_ATTRIBUTE, "")

    @property
    def role(self) -> DeviceRole | None:
        """As what it was enrolled."""
        role = self.attributes.get(ROLE_ATTRIBUTE)
        return role if role in ("edge", "device") else None  # type: ignore[return-value]

    def active(self, key: str | None = None) -> Certificate | None:
        """A certificate that is in use, of a given key or of any."""
        for certificate in self.certificates:
            if certificate.status == "ACTIVE" and key in (None, certificate.key):
                return certificate
        return None

    def out_of_use(self) -> set[str]:
        """Keys whose certificates an operator has revoked, deactivated or removed."""
        known = {each.key for each in self.certificates}
        out = {each.key for each in self.certificates if each.status in OUT_OF_USE}
        removed = {self.pinned} - known - {""}
        return {key for key in out | removed if self.active(key) is None}


@dataclass(frozen=True)
class Word:
    """Who is enrolled. What an operator says goes beyond what is configured.

    ``anybody``: whatever asks, with a changed key too. ``site_thing``: the edge that is enrolled
    the first time it asks.
    """

    said: bool = False
    """An operator has named the thing."""
    replace_key: bool = False
    """An operator has said that its key has changed."""
    anybody: bool = False
    site_thing: str = ""


def registered(iot: Any, thing: str) -> Registered:
    """Look a thing up. boto3's errors pass through."""
    try:
        described = iot.describe_thing(thingName=thing)
    except iot.exceptions.ResourceNotFoundException:
        return Registered()
    arns = [
        arn for arn in iot.list_thing_principals(thingName=thing)["principals"] if ":cert/" in arn
    ]
    return Registered(
        True, dict(described.get("attributes", {})), tuple(_certificate(iot, arn) for arn in arns)
    )


def _certificate(iot: Any, arn: str) -> Certificate:
    found = iot.describe_certificate(certificateId=arn.rsplit("/", 1)[-1])["certificateDescription"]
    pem = found["certificatePem"].encode()
    key = fingerprint(x509.load_pem_x509_certificate(pem).public_key())
    return Certificate(arn, pem, str(found["status"]), key)


def remembered(record: Record, cloud: Registered) -> Record:
    """The record brought up to what the cloud knows, which goes first where it knows anything."""
    if not cloud.exists:
        return record
    active = cloud.active()
    pinned = cloud.pinned or (active.key if active else record.key)
    barred = set(record.barred) | cloud.out_of_use()
    barred -= {each.key for each in cloud.certificates if each.status == "ACTIVE"}
    return Record(cloud.role or record.role, pinned, tuple(sorted(barred)))


def refuse(thing: str, key: str, record: Record, cloud: Registered, word: Word) -> str | None:
    """Why ``key`` gets no certificate, with the remedy, or None if it may have one."""
    again = f"`gustbed enrol {thing} --replace-key`"
    if key in record.barred:
        return (
            "its certificate was revoked, deactivated or removed, and this key stays out: make a "
            f"new key on the device (remove its private-key.pem and start it), then {again}"
        )
    if cloud.active(key) is not None:
        return None
    if not record.key:
        if word.said or thing == word.site_thing or (word.anybody and is_edge_name(thing)):
            return None
        return (
            "only an operator enrols it: "
            f"`gustbed enrol {thing}`, with --role device if it is no edge of the fleet"
        )
    if record.key == key:
        if word.said or word.anybody:
            return None
        return f"the cloud does not know it any more: `gustbed enrol {thing}` enrols it again"
    if word.replace_key:
        return None
    if record.key in record.barred:
        return f"its certificate was revoked or removed: {again} lets it in with its new key"
    if word.anybody:
        return None
    return f"it asks with another key than it was enrolled with: if that is right, {again}"


def is_edge_name(thing: str) -> bool:
    """Whether a thing is named as the fleet's edges are."""
    return EDGE_NAME.fullmatch(thing) is not None


class Records:
    """The provisioner's own records, a file per thing."""

    def __init__(self, enrol_dir: Path, write: Callable[[Path, bytes], None]) -> None:
        self._folder = enrol_dir / RECORDS
        self._write = write

    def read(self, thing: str) -> Record:
        """A thing's record, an empty one if there is none. Raises ``GustbedError``."""
        path = self._path(thing)
        try:
            return decoder(Record)(path.read_bytes())
        except FileNotFoundError:
            return Record()
        except (OSError, PayloadError) as error:
            raise GustbedError(
                f"{path}: {error}", f"restore it, or remove it and `gustbed enrol {thing}`"
            ) from error

    def write(self, thing: str, record: Record) -> None:
        """Keep a record. Raises ``GustbedError``."""
        path = self._path(thing)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GustbedError(f"{path.parent}: {error.strerror}", "make it writable") from error
        self._write(path, encode(record))

    def forget(self, thing: str) -> None:
        """Drop a record: the thing itself is gone."""
        self._path(thing).unlink(missing_ok=True)

    def _path(self, thing: str) -> Path:
        return self._folder / f"{thing}.json"
