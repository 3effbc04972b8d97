"""What a quality gate said of a model, signed by the pipeline that ran it.

``gate.json`` in the package. It names the manifest's digest, and the manifest those of all other
members: whatever is changed in a package, nobody vouches for it any more. Standard library alone.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

from gustbed_core.errors import GustbedError
from gustbed_core.jobs import Signature
from gustbed_core.records import RecordError, read_record

PASSED = "passed"
PRIVATE_KEY = "keys/pipeline-private.pem"
"""In a home: what its pipeline signs with, made when it is first needed."""
PUBLIC_KEYS = "keys/pipeline"
"""In a home: ``<key id>.pem`` of the pipelines whose word counts, its own among them."""


@dataclass(frozen=True)
class GateReport:
    """``result`` is ``passed``, or what speaks against the model; ``against`` what it was measured
    against. ``manifest`` is the SHA-256 of the package's manifest in hex.
    """

    name: str
    version: str
    manifest: str
    result: str
    against: str

    def digest(self) -> bytes:
        """SHA-256 of the canonical JSON: what is signed (ECDSA P-256)."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).digest()


@dataclass(frozen=True)
class SignedReport:
    """A report and who vouches for it."""

    report: GateReport
    signature: Signature

    def to_json(self) -> bytes:
        """The content of ``gate.json``."""
        return (json.dumps(asdict(self), indent=2, sort_keys=True) + "\n").encode()


def report_from_json(data: bytes) -> SignedReport:
    """Read ``gate.json``. Raises ``GustbedError`` naming a field that is missing or wrong."""
    try:
        return read_record(SignedReport, json.loads(data))
    except (ValueError, RecursionError, RecordError) as error:
        raise GustbedError("gate.json", f"not a gate's report: {error}") from error


def key_id_of(public_der: bytes) -> str:
    """A pipeline key's id: the beginning of its digest."""
    return hashlib.sha256(public_der).hexdigest()[:16]
