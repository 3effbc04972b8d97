"""Certificate requests: what devices put into the enrolment folder, and hence untrusted."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from gustbed_core import topics
from gustbed_core.enrolment import (
    ANSWERS,
    CERTIFICATE,
    REQUEST,
    REQUESTS,
    adopt_old_layout,
    answer_folder,
    request_path,
)
from gustbed_core.errors import GustbedError

MAX_REQUEST_BYTES = 16 * 1024
CURVES = ("secp256r1", "secp384r1", "secp521r1")
MIN_RSA_BITS = 2048
# AWS IoT, CreateCertificateFromCsr: RSA of at least 2048 bits, or NIST P-256, P-384 or P-521.
_ASK_AGAIN = "delete it, and the edge asks again"


def requests(enrol_dir: Path) -> Iterator[str]:
    """Yield the things that have asked, those in the place of earlier versions included."""
    for path in sorted(enrol_dir.glob(f"*/{REQUEST}")):
        if path.parent.name not in (REQUESTS, ANSWERS):
            adopt_old_layout(enrol_dir, path.parent.name)
    for path in sorted((enrol_dir / REQUESTS).glob(f"*/{REQUEST}")):
        yield path.parent.name


def is_answered(enrol_dir: Path, thing: str) -> bool:
    """Whether there is an answer newer than the request; the cloud is not asked."""
    request, certificate = (
        request_path(enrol_dir, thing),
        answer_folder(enrol_dir, thing) / CERTIFICATE,
    )
    try:
        return certificate.stat().st_mtime_ns >= request.stat().st_mtime_ns
    except OSError:
        return False


def read_request(path: Path, thing: str) -> x509.CertificateSigningRequest:
    """Read a thing's request and check it. Raises ``GustbedError`` naming the file."""
    data = _read_bounded(path)
    try:
        request = x509.load_pem_x509_csr(data)
        key = request.public_key()
        sound = request.is_signature_valid
    except (ValueError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise GustbedError(f"{path}: not a certificate request: {error}", _ASK_AGAIN) from error
    if not sound:
        raise GustbedError(f"{path}: its signature is wrong", _ASK_AGAIN)
    if not _is_accepted(key):
        raise GustbedError(
            f"{path}: AWS IoT takes no key of this kind",
            f"use EC P-256, P-384 or P-521, or RSA of {MIN_RSA_BITS} bits or more",
        )
    names = [name.value for name in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [thing]:
        shown = ", ".join(repr(str(name)[:60]) for name in names) or "none"
        raise GustbedError(
            f"{path}: it is for the common name {shown}, not {thing!r}",
            "put it into the folder of its own thing, or make it with the thing's name",
        )
    return request


def check_thing(thing: str) -> str:
    """Return the name if a thing can have it. Raises ``GustbedError``."""
    try:
        return topics.level(thing)
    except ValueError as error:
        raise GustbedError(f"thing {thing!r}", str(error)) from error


def fingerprint(key: CertificatePublicKeyTypes) -> str:
    """SHA-256 of a public key (its SubjectPublicKeyInfo), in hex."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    return digest.finalize().hex()


def pem_of(request: x509.CertificateSigningRequest) -> str:
    """The request as AWS takes it."""
    return request.public_bytes(serialization.Encoding.PEM).decode()


def _read_bounded(path: Path) -> bytes:
    """Read a regular file of bounded size: a device may put a pipe or a link there."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "start the edge: it writes it") from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise GustbedError(f"{path}: not a file", _ASK_AGAIN)
        data = os.read(handle, MAX_REQUEST_BYTES + 1)
    finally:
        os.close(handle)
    if len(data) > MAX_REQUEST_BYTES:
        raise GustbedError(f"{path}: more than {MAX_REQUEST_BYTES} bytes", _ASK_AGAIN)
    return data


def _is_accepted(key: object) -> bool:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name in CURVES
    return isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS
