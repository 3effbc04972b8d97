"""Factory models: what an edge serves before its first update, signed by a throw-away key.

The signing key exists only while this runs. Its public half ships beside the package; enrolment
replaces it by the keys of production.
"""

from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from gustbed_core.errors import GustbedError
from gustbed_core.jobs import (
    PACKAGE_FILE,
    RELEASE_FILE,
    Release,
    Signature,
    release_to_json,
)
from gustbed_core.package import sha256, unsealed_package
from gustbed_training.detectors.registry import SHIPPED
from gustbed_training.pipeline.cache import write_atomically
from gustbed_training.pipeline.defaults import made, population, training_profile
from gustbed_training.pipeline.identity import Identity, model_name
from gustbed_training.pipeline.job import Job
from gustbed_training.pipeline.steps import run
from gustbed_training.progress import Log

VERSION = "1.0.0"
KEY_ID = "factory"
KEY_FILE = "signing-key.pem"


def make_factory(turbine_type: str, root: Path, home: Path, log: Log) -> list[Path]:
    """Simulate, train, package and sign into a folder of ``root`` named after the model.

    Raises ``GustbedError`` if the model does not pass its gate; then nothing is replaced.
    """
    identity = Identity(model_name(turbine_type), VERSION)
    data = made(training_profile(turbine_type), home, log)
    candidate = home / "models" / f"factory-{identity.name}.tar.gz"
    # What ships is what won, never a substitute.
    machines = population(turbine_type, home, log)
    result = run(Job(data, identity, candidate, SHIPPED, home=home, population=machines), log)
    if not result.gate.passed:
        raise GustbedError(f"{candidate}: {result.gate.words}", "the factory keeps its model")
    folder = root / identity.name
    # The pipeline's key is this machine's own: nobody else could check what it vouches for.
    packed = unsealed_package(candidate.read_bytes())
    write_atomically(folder / PACKAGE_FILE, packed)
    return [folder / PACKAGE_FILE, *sign(packed, identity, folder)]


def sign(packed: bytes, identity: Identity, folder: Path) -> list[Path]:
    """Sign a package with a new key; write the release and the public key."""
    release = Release(identity.name, identity.version, len(packed), sha256(packed))
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.sign(release.digest(), ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    release_path, key_path = folder / RELEASE_FILE, folder / KEY_FILE
    write_atomically(release_path, release_to_json(release, Signature.from_bytes(der, KEY_ID)))
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_atomically(key_path, public)
    return [release_path, key_path]
