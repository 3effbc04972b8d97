"""The pipeline's word on the packages that it has judged: a signed report within each."""

import os
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from gustbed_core.archive import MANIFEST, read_members
from gustbed_core.errors import GustbedError
from gustbed_core.gate_report import (
    PRIVATE_KEY,
    PUBLIC_KEYS,
    GateReport,
    SignedReport,
    key_id_of,
)
from gustbed_core.jobs import Signature
from gustbed_core.package import seal_package, sha256
from gustbed_training.pipeline.cache import write_atomically
from gustbed_training.pipeline.gate import Gate
from gustbed_training.pipeline.identity import Identity
from gustbed_training.pipeline.sagemaker import started_here

KEY_VARIABLE = "GUSTBED_PIPELINE_KEY"
"""Names the file of a private key that several machines share."""


def vouch(archive: bytes, identity: Identity, gate: Gate, home: Path) -> bytes:
    """The package with its gate's report, signed by this pipeline's key.

    As it is in a SageMaker job that was given none: what its folders hold goes to S3. Raises
    ``GustbedError`` if the key cannot be read or made.
    """
    if KEY_VARIABLE not in os.environ and started_here(os.environ):
        return archive
    manifest = sha256(read_members(archive)[MANIFEST])
    report = GateReport(
        identity.name, identity.version, manifest, gate.words, ", ".join(gate.against)
    )
    key, key_id = pipeline_key(home)
    # Without chance, so that the same package comes out the same to the byte.
    algorithm = ec.ECDSA(utils.Prehashed(hashes.SHA256()), deterministic_signing=True)
    signature = Signature.from_bytes(key.sign(report.digest(), algorithm), key_id)
    return seal_package(archive, SignedReport(report, signature).to_json())


def pipeline_key(home: Path) -> tuple[ec.EllipticCurvePrivateKey, str]:
    """The private key and its id. A home's own is made at first use, and trusted in that home."""
    given = os.environ.get(KEY_VARIABLE)
    path = Path(given) if given else home / PRIVATE_KEY
    try:
        if not given:
            _make(path)
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise GustbedError(f"{path}: {reason}", "name a P-256 private key (PEM)") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise GustbedError(f"{path}: not a P-256 private key", f"mend it or {KEY_VARIABLE}")
    encoding, public = serialization.Encoding, key.public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    key_id = key_id_of(public.public_bytes(encoding.DER, form))
    trusted = home / PUBLIC_KEYS / f"{key_id}.pem"
    if not given and not trusted.exists():
        write_atomically(trusted, public.public_bytes(encoding.PEM, form))
    return key, key_id


def _make(path: Path) -> None:
    """Write a new key, for this user alone, unless there is one: it is never replaced."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".pipeline.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        # Fails if somebody else was quicker; then theirs is the key.
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink()
