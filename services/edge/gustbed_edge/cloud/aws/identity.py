"""The edge's own key, which never leaves it, and the request for a certificate."""

import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from gustbed_core.enrolment import request_path
from gustbed_core.errors import GustbedError
from gustbed_edge.files import sync_folder, write_atomic

KEY = "private-key.pem"


def ensure_identity(data_dir: Path, enrol_dir: Path, thing: str) -> Path:
    """Make the key and the request unless they are there; return the request's path.

    Raises ``GustbedError`` naming the file that cannot be read or written.
    """
    key_path = data_dir / KEY
    request = request_path(enrol_dir, thing)
    try:
        key = _ensure_key(key_path)
        request.parent.mkdir(parents=True, exist_ok=True)
        if not request.exists() or not _is_of(request, key, thing):
            write_atomic(request, _request(key, thing))
    except OSError as error:
        raise GustbedError(
            f"{error.filename}: {error.strerror}",
            "set GUSTBED_EDGE_DATA_DIR and GUSTBED_EDGE_ENROL_DIR to writable folders",
        ) from error
    return request


def _ensure_key(path: Path) -> ec.EllipticCurvePrivateKey:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write_new(path, pem)
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise GustbedError(
            f"{path}: not a private key", "restore it, or remove it and enrol again"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise GustbedError(f"{path}: not a P-256 key", "remove it and enrol again")
    return key


def _write_new(path: Path, data: bytes) -> None:
    """Write a key that must never be overwritten: link fails if the name is taken."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(temporary)
        sync_folder(path.parent)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _request(key: ec.EllipticCurvePrivateKey, thing: str) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, thing)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def _is_of(path: Path, key: ec.EllipticCurvePrivateKey, thing: str) -> bool:
    try:
        request = x509.load_pem_x509_csr(path.read_bytes())
    except ValueError:
        return False
    names = [name.value for name in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return names == [thing] and request.public_key() == key.public_key()
