"""Enrolment: from a device's certificate request to a thing that may connect.

The device keeps its key; only its request crosses over. The answer lies in a folder that the
device only reads, as docs/enrolment.md describes, each file written whole or not at all.
"""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gustbed_cloud import device_keys
from gustbed_cloud.aws import Session, readable_errors
from gustbed_cloud.device_keys import Record, Records, Registered, Word
from gustbed_cloud.downloads import download_hosts
from gustbed_cloud.outputs import Outputs
from gustbed_cloud.requests import check_thing, fingerprint, pem_of, read_request
from gustbed_cloud.rollouts import welcome
from gustbed_cloud.settings import IotSettings
from gustbed_cloud.teardown import remove_certificate
from gustbed_core.enrolment import (
    CA,
    CERTIFICATE,
    ENDPOINT,
    REFUSAL,
    SIGNING_KEYS,
    DeviceRole,
    Endpoint,
    adopt_old_layout,
    answer_folder,
    request_path,
)
from gustbed_core.errors import GustbedError


@dataclass(frozen=True)
class Common:
    """What every device's answer holds: endpoint, its CA if it needs one, and signing keys."""

    host: str
    port: int
    downloads: tuple[str, ...]
    ca: bytes | None
    signing_keys: dict[str, bytes]

    def endpoint(self, targets: tuple[str, ...]) -> bytes:
        """The endpoint's file, for a device of these groups."""
        endpoint = Endpoint(self.host, self.port, self.downloads, targets)
        return json.dumps(vars(endpoint)).encode()


@readable_errors()
def common_answer(session: Session, outputs: Outputs, iot_settings: IotSettings) -> Common:
    """Gather what does not depend on the device. Raises ``GustbedError``."""
    host = iot_settings.host or _endpoint_host(session)
    ca = _fetch_ca(iot_settings.ca_url) if iot_settings.ca_url else None
    kms = session.client("kms")
    keys = {
        f"{key_id}.pem": _pem_of(kms.get_public_key(KeyId=key_id)["PublicKey"])
        for key_id in outputs.trusted_key_ids.split(":")
    }
    downloads = download_hosts(session, outputs.artifact_bucket, iot_settings.host)
    return Common(host, iot_settings.port, downloads, ca, keys)


@readable_errors()
def enrol(
    session: Session,
    outputs: Outputs,
    common: Common,
    enrol_dir: Path,
    thing: str,
    word: Word,
    role: DeviceRole | None = None,
) -> bool:
    """Answer one request. Returns whether a new certificate was made.

    A certificate of the request's key that is active in IoT is kept. ``role`` is what an operator
    says; None keeps the thing's. Raises ``GustbedError`` naming the file that is wrong, or why the
    key gets no certificate; the device can read the latter, too.
    """
    adopt_old_layout(enrol_dir, check_thing(thing))
    folder = answer_folder(enrol_dir, thing)
    _make_folder(folder)
    try:
        request = read_request(request_path(enrol_dir, thing), thing)
    except GustbedError as error:
        write_whole(folder / REFUSAL, f"{error}\n".encode())
        raise
    iot = session.client("iot")
    key = fingerprint(request.public_key())
    records = Records(enrol_dir, write_whole)
    known = device_keys.registered(iot, thing)
    record = device_keys.remembered(records.read(thing), known)
    reason = device_keys.refuse(thing, key, record, known, word)
    if reason is not None:
        # Kept first: a key that is out stays out, whatever the cloud forgets.
        records.write(thing, record)
        write_whole(folder / REFUSAL, f"{reason}\n".encode())
        raise GustbedError(f"thing {thing}: not enrolled", reason)
    device = Device(thing, role or record.role, key)
    certificate = known.active(key)
    arn, pem = (certificate.arn, certificate.pem) if certificate else _issue(iot, request)
    join(iot, outputs, device, known, arn)
    answer(folder, common, (outputs.thing_group_name,) if device.role == "edge" else ())
    if device.role == "edge" and (known.role != "edge" or not _holds(folder / CERTIFICATE, pem)):
        # Before the certificate is there, so that an enrolment cut off here does it again.
        welcome(session, outputs, thing, arn)
    # Last, so that who sees the certificate finds the rest in place.
    write_whole(folder / CERTIFICATE, pem)
    (folder / REFUSAL).unlink(missing_ok=True)
    retire_others(iot, outputs, device, known)
    records.write(thing, Record(device.role, key, record.barred))
    return certificate is None


def _issue(iot: Any, request: x509.CertificateSigningRequest) -> tuple[str, bytes]:
    made = iot.create_certificate_from_csr(
        certificateSigningRequest=pem_of(request), setAsActive=True
    )
    return str(made["certificateArn"]), made["certificatePem"].encode()


def _holds(path: Path, pem: bytes) -> bool:
    try:
        return path.read_bytes() == pem
    except OSError:
        return False


@readable_errors()
def remember(session: Session, enrol_dir: Path, things: Iterable[str]) -> None:
    """Record what the cloud knows of things before it is lost. Raises ``GustbedError``."""
    records = Records(enrol_dir, write_whole)
    for thing in things:
        known = device_keys.registered(session.client("iot"), thing)
        records.write(thing, device_keys.remembered(records.read(thing), known))


@dataclass(frozen=True)
class Device:
    """A thing, as what it is enrolled, and its key's fingerprint."""

    thing: str
    role: DeviceRole
    key: str

    def policy(self, outputs: Outputs) -> str:
        """The IoT policy of its certificate."""
        return outputs.policy_name if self.role == "edge" else outputs.device_policy_name


def join(
    iot: Any, outputs: Outputs, device: Device, known: Registered, certificate_arn: str
) -> None:
    """Make the thing, and tie certificate, policy and group to it. Every step may repeat."""
    if not known.exists:
        _create_thing(iot, outputs, device)
    if known.exists and known.role != device.role:
        _leave(iot, outputs, device, certificate_arn)
    iot.attach_policy(policyName=device.policy(outputs), target=certificate_arn)
    iot.attach_thing_principal(thingName=device.thing, principal=certificate_arn)
    if device.role == "edge":
        iot.add_thing_to_thing_group(
            thingGroupName=outputs.thing_group_name, thingName=device.thing
        )
    # The pin comes last: with a pin but without a certificate, a thing counts as thrown out.
    attributes = {
        device_keys.KEY_ATTRIBUTE: device.key,
        device_keys.ROLE_ATTRIBUTE: device.role,
        device_keys.STACK_ATTRIBUTE: outputs.stack_name,
    }
    if {**known.attributes, **attributes} != known.attributes:
        iot.update_thing(
            thingName=device.thing, attributePayload={"attributes": attributes, "merge": True}
        )


def _create_thing(iot: Any, outputs: Outputs, device: Device) -> None:
    site = device_keys.EDGE_NAME.fullmatch(device.thing)
    # AWS lets a thing without a type have three attributes: the pin, the role and the stack.
    described: dict[str, Any] = {}
    if device.role == "edge":
        described["thingTypeName"] = outputs.thing_type_name
        if site:
            described["attributePayload"] = {"attributes": {"site": site["site"]}}
    with suppress(iot.exceptions.ResourceAlreadyExistsException):
        iot.create_thing(thingName=device.thing, **described)


def _leave(iot: Any, outputs: Outputs, device: Device, certificate_arn: str) -> None:
    """Take from a thing what its other role had."""
    other = Device(device.thing, "device" if device.role == "edge" else "edge", device.key)
    with suppress(iot.exceptions.ResourceNotFoundException):
        iot.detach_policy(policyName=other.policy(outputs), target=certificate_arn)
    if other.role == "edge":
        with suppress(iot.exceptions.ResourceNotFoundException):
            iot.remove_thing_from_thing_group(
                thingGroupName=outputs.thing_group_name, thingName=device.thing
            )


def retire_others(iot: Any, outputs: Outputs, device: Device, known: Registered) -> None:
    """Remove the thing's certificates of other keys: a device has one identity.

    Those that are out of use stay attached, without rights: they say which keys are out.
    """
    for certificate in known.certificates:
        if certificate.key == device.key:
            continue
        if certificate.status == "ACTIVE":
            remove_certificate(iot, device.thing, certificate.arn)
            continue
        for policy in (outputs.policy_name, outputs.device_policy_name):
            with suppress(iot.exceptions.ResourceNotFoundException):
                iot.detach_policy(policyName=policy, target=certificate.arn)


def answer(folder: Path, common: Common, targets: tuple[str, ...]) -> None:
    """Write the files that do not depend on the device's key, where they differ."""
    keys = folder / SIGNING_KEYS
    _make_folder(keys)
    for name, pem in common.signing_keys.items():
        write_whole(keys / name, pem)
    for path in keys.glob("*.pem"):
        if path.name not in common.signing_keys:
            path.unlink()
    if common.ca is None:
        (folder / CA).unlink(missing_ok=True)
    else:
        write_whole(folder / CA, common.ca)
    write_whole(folder / ENDPOINT, common.endpoint(targets))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old or the new content; leave an equal one alone."""
    try:
        if path.exists() and path.read_bytes() == data:
            return
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "make its folder writable") from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GustbedError(f"{folder}: {error.strerror}", "make it writable") from error


def _pem_of(der: bytes) -> bytes:
    return serialization.load_der_public_key(der).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _endpoint_host(session: Session) -> str:
    found = session.client("iot").describe_endpoint(endpointType="iot:Data-ATS")
    return str(found["endpointAddress"])


def _fetch_ca(url: str) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise GustbedError("GUSTBED_IOT_CA_URL", f"{url!r} is not an http(s) address")
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - checked above
            pem: bytes = response.read(64 * 1024)
        x509.load_pem_x509_certificates(pem)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise GustbedError(f"{url}: {error}", "check GUSTBED_IOT_CA_URL") from error
    return pem
