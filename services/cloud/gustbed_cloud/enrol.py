"""Enrolment: from an edge's certificate request to a thing that may connect.

The edge keeps its key; only ``<enrol dir>/<thing>/request.csr`` crosses over. The answer lies
beside it, as docs/architecture.md describes, each file written whole or not at all.
"""

import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gustbed_cloud.aws import Session, readable_errors
from gustbed_cloud.outputs import Outputs
from gustbed_cloud.settings import IotSettings
from gustbed_core import topics
from gustbed_core.errors import GustbedError

REQUEST, CERTIFICATE, ENDPOINT, CA = "request.csr", "certificate.pem", "endpoint.json", "ca.pem"
SIGNING_KEYS = "signing-keys"
MAX_REQUEST_BYTES = 16 * 1024
_SITE = re.compile(r"gustbed-(.+)")


@dataclass(frozen=True)
class Common:
    """What every edge's answer holds: endpoint, its CA if it needs one, and signing keys."""

    endpoint: bytes
    ca: bytes | None
    signing_keys: dict[str, bytes]


@readable_errors()
def common_answer(session: Session, outputs: Outputs, iot_settings: IotSettings) -> Common:
    """Gather what does not depend on the edge. Raises ``GustbedError``."""
    host = iot_settings.host or _endpoint_host(session)
    endpoint = json.dumps({"host": host, "port": iot_settings.port}).encode()
    ca = _fetch_ca(iot_settings.ca_url) if iot_settings.ca_url else None
    key_id = outputs.signing_key_id
    der = session.client("kms").get_public_key(KeyId=key_id)["PublicKey"]
    pem = serialization.load_der_public_key(der).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Common(endpoint, ca, {f"{key_id}.pem": pem})


@readable_errors()
def enrol(session: Session, outputs: Outputs, common: Common, enrol_dir: Path, thing: str) -> bool:
    """Answer one request. Returns whether a new certificate was made.

    An answer whose certificate fits the request and is active in IoT is kept. Raises
    ``GustbedError`` naming the file that is wrong.
    """
    folder = enrol_dir / _thing_name(thing)
    request = read_request(folder / REQUEST)
    iot = session.client("iot")
    arn = _active_certificate(iot, folder / CERTIFICATE, request)
    pem: bytes | None = None
    if arn is None:
        made = iot.create_certificate_from_csr(
            certificateSigningRequest=_pem(request).decode(), setAsActive=True
        )
        arn, pem = made["certificateArn"], made["certificatePem"].encode()
    join(iot, outputs, thing, arn)
    answer(folder, common)
    if pem is not None:
        # Last, so that who sees the certificate finds the rest in place.
        write_whole(folder / CERTIFICATE, pem)
        retire_others(iot, outputs, thing, arn)
    return pem is not None


def requests(enrol_dir: Path) -> Iterator[str]:
    """Yield the things that have asked."""
    for path in sorted(enrol_dir.glob(f"*/{REQUEST}")):
        yield path.parent.name


def is_answered(enrol_dir: Path, thing: str) -> bool:
    """Whether an answer newer than the request lies beside it; the cloud is not asked."""
    request, certificate = enrol_dir / thing / REQUEST, enrol_dir / thing / CERTIFICATE
    try:
        return certificate.stat().st_mtime_ns >= request.stat().st_mtime_ns
    except OSError:
        return False


def read_request(path: Path) -> x509.CertificateSigningRequest:
    """Read and check a request: untrusted input. Raises ``GustbedError``."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "start the edge: it writes it") from error
    if len(data) > MAX_REQUEST_BYTES:
        raise GustbedError(str(path), f"{len(data)} bytes, at most {MAX_REQUEST_BYTES}")
    try:
        request = x509.load_pem_x509_csr(data)
        key = request.public_key()
        sound = request.is_signature_valid
    except (ValueError, InvalidSignature) as error:
        raise GustbedError(f"{path}: not a certificate request: {error}", _ASK_AGAIN) from error
    if not sound:
        raise GustbedError(f"{path}: its signature is wrong", _ASK_AGAIN)
    strong = (isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size >= 256) or (
        isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048
    )
    if not strong:
        raise GustbedError(f"{path}: weak key", "use EC P-256, or RSA of 2048 bits or more")
    return request


_ASK_AGAIN = "delete it, and the edge asks again"


def join(iot: Any, outputs: Outputs, thing: str, certificate_arn: str) -> None:
    """Make the thing, and tie certificate, policy and group to it. Every step may repeat."""
    site = _SITE.fullmatch(thing)
    attributes = {"attributes": {"site": site.group(1)}} if site else {}
    # One that exists with other attributes, for instance made by hand, keeps them.
    with suppress(iot.exceptions.ResourceAlreadyExistsException):
        iot.create_thing(
            thingName=thing, thingTypeName=outputs.thing_type_name, attributePayload=attributes
        )
    iot.attach_policy(policyName=outputs.policy_name, target=certificate_arn)
    iot.attach_thing_principal(thingName=thing, principal=certificate_arn)
    iot.add_thing_to_thing_group(thingGroupName=outputs.thing_group_name, thingName=thing)


def retire_others(iot: Any, outputs: Outputs, thing: str, certificate_arn: str) -> None:
    """Deactivate the thing's earlier certificates: a device has one identity."""
    for arn in iot.list_thing_principals(thingName=thing)["principals"]:
        if arn != certificate_arn and ":cert/" in arn:
            remove_certificate(iot, outputs.policy_name, thing, arn)


def remove_certificate(iot: Any, policy: str, thing: str, arn: str) -> None:
    """Detach, deactivate and delete a certificate."""
    certificate_id = arn.rsplit("/", 1)[-1]
    iot.update_certificate(certificateId=certificate_id, newStatus="INACTIVE")
    iot.detach_policy(policyName=policy, target=arn)
    iot.detach_thing_principal(thingName=thing, principal=arn)
    iot.delete_certificate(certificateId=certificate_id, forceDelete=True)


def answer(folder: Path, common: Common) -> None:
    """Write the files that do not depend on the edge, where they differ."""
    keys = folder / SIGNING_KEYS
    keys.mkdir(exist_ok=True)
    for name, pem in common.signing_keys.items():
        write_whole(keys / name, pem)
    for path in keys.glob("*.pem"):
        if path.name not in common.signing_keys:
            path.unlink()
    if common.ca is None:
        (folder / CA).unlink(missing_ok=True)
    else:
        write_whole(folder / CA, common.ca)
    write_whole(folder / ENDPOINT, common.endpoint)


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


def _active_certificate(
    iot: Any, path: Path, request: x509.CertificateSigningRequest
) -> str | None:
    """ARN of the certificate in ``path``, if it is this request's and active in IoT."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None
    if certificate.public_key() != request.public_key():
        return None
    certificate_id = certificate.fingerprint(hashes.SHA256()).hex()
    try:
        found = iot.describe_certificate(certificateId=certificate_id)["certificateDescription"]
    except iot.exceptions.ResourceNotFoundException:
        return None
    return str(found["certificateArn"]) if found["status"] == "ACTIVE" else None


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


def _thing_name(thing: str) -> str:
    try:
        return topics.level(thing)
    except ValueError as error:
        raise GustbedError(f"thing {thing!r}", str(error)) from error


def _pem(request: x509.CertificateSigningRequest) -> bytes:
    return request.public_bytes(serialization.Encoding.PEM)
