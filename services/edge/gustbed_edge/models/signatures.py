"""Whose signatures this edge accepts. It holds public keys only."""

import logging
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from gustbed_core.jobs import Release, Signature
from gustbed_core.package import PackageError

log = logging.getLogger(__name__)

Keys = Mapping[str, ec.EllipticCurvePublicKey]


def load_keys(folder: Path) -> dict[str, ec.EllipticCurvePublicKey]:
    """Read ``<key id>.pem`` files. Files that hold no P-256 public key are left out and logged."""
    keys: dict[str, ec.EllipticCurvePublicKey] = {}
    for path in sorted(folder.glob("*.pem")) if folder.is_dir() else []:
        key = load_key(path)
        if key is not None:
            keys[path.stem] = key
    return keys


def load_key(path: Path) -> ec.EllipticCurvePublicKey | None:
    """Read one P-256 public key, or log why not and return None."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        log.warning("%s: not a readable public key: %s", path, error)
        return None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        log.warning("%s: not a P-256 public key", path)
        return None
    return key


def find_key(signature: Signature, keys: Keys) -> ec.EllipticCurvePublicKey | None:
    """The key that a signature names. KMS names keys by ARN or by id."""
    # A lookup, never a path: the key id comes from outside.
    return keys.get(signature.key_id) or keys.get(signature.key_id.rsplit("/", 1)[-1])


def key_pem(signature: Signature, keys: Keys) -> bytes | None:
    """That key as a file's content, None if it is not trusted."""
    key = find_key(signature, keys)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) if key else None


def verify(release: Release, signature: Signature, keys: Keys) -> None:
    """Raises ``PackageError`` with reason ``unsigned``, ``unknown_key`` or ``bad_signature``."""
    if not signature.value:
        raise PackageError("unsigned", "the release carries no signature")
    key = find_key(signature, keys)
    if key is None:
        known = ", ".join(sorted(keys)) or "none"
        raise PackageError(
            "unknown_key", f"key {signature.key_id[:80]!r} is not trusted here; trusted: {known}"
        )
    try:
        key.verify(signature.der(), release.digest(), ec.ECDSA(Prehashed(SHA256())))
    except (InvalidSignature, ValueError) as error:
        raise PackageError(
            "bad_signature", f"the signature of {release.name} {release.version} does not verify"
        ) from error
