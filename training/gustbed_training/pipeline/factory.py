"""The factory model: what an edge serves before its first update, signed by a throw-away key.

The signing key exists only while this runs. Its public half ships beside the package; enrolment
replaces it by the keys of production.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from gustbed_protocol.errors import GustbedError
from gustbed_protocol.jobs import PACKAGE_FILE, Release, Signature
from gustbed_protocol.package import sha256, write_package
from gustbed_training.datasets import cached
from gustbed_training.detectors.base import Plan
from gustbed_training.detectors.thresholds import Target
from gustbed_training.pipeline.package import Identity, build
from gustbed_training.profiles import profile
from gustbed_training.shares import load

IDENTITY = Identity("windturbine", "1.0.0")
KEY_ID = "factory"
RELEASE_FILE = "release.json"
KEY_FILE = "signing-key.pem"


def make_factory(folder: Path, say: Callable[[str], None]) -> list[Path]:
    """Simulate, train, package and sign; return the files written."""
    data = cached(profile("default"), say)
    package = build(load(data), IDENTITY, Plan(), Target(), data.name, say)
    try:
        packed = write_package(package, folder / PACKAGE_FILE)
        return [folder / PACKAGE_FILE, *sign(packed, folder)]
    except OSError as error:
        raise GustbedError(f"{folder}: {error.strerror}", "name a folder to write to") from error


def sign(packed: bytes, folder: Path) -> list[Path]:
    """Sign a package with a new key; write the release and the public key."""
    release = Release(IDENTITY.name, IDENTITY.version, len(packed), sha256(packed))
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.sign(release.digest(), ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    signed = {"release": asdict(release), "signature": asdict(Signature.from_bytes(der, KEY_ID))}
    release_path, key_path = folder / RELEASE_FILE, folder / KEY_FILE
    release_path.write_text(json.dumps(signed, indent=2) + "\n", encoding="utf-8")
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key_path.write_bytes(public)
    return [release_path, key_path]
