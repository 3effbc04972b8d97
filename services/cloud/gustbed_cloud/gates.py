"""Whether a package passed its quality gate, by the word of a pipeline that is trusted here."""

from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gustbed_core.archive import GATE, MANIFEST, read_members
from gustbed_core.errors import GustbedError
from gustbed_core.gate_report import PASSED, SignedReport, report_from_json
from gustbed_core.package import Manifest, sha256


def doubt(archive: bytes, manifest: Manifest, keys: Path) -> str:
    """Why it is not known that a package passed its gate; empty if it is.

    ``archive`` has been read already, so that its members are those that the manifest names.
    ``keys`` is the folder of ``<key id>.pem`` files whose word counts.
    """
    members = read_members(archive)
    if GATE not in members:
        return "nobody has signed that it passed its quality gate"
    try:
        signed = report_from_json(members[GATE])
    except GustbedError as error:
        return str(error)
    report = signed.report
    of_package = (manifest.name, manifest.version, sha256(members[MANIFEST]))
    if (report.name, report.version, report.manifest) != of_package:
        return "its gate's report is about another package"
    why = _not_vouched(signed, keys)
    if why:
        return why
    return "" if report.result == PASSED else f"its quality gate says {report.result[:200]!r}"


def _not_vouched(signed: SignedReport, keys: Path) -> str:
    signature = signed.signature
    # Compared with names that are there: the key id comes from outside.
    path = next((each for each in keys.glob("*.pem") if each.stem == signature.key_id), None)
    if path is None:
        return (
            f"its gate's report is signed by {signature.key_id[:40]!r}, which is not among the "
            f"pipelines trusted in {keys}"
        )
    try:
        key = load_pem_public_key(path.read_bytes())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return f"{path}: no P-256 public key"
        key.verify(signature.der(), signed.report.digest(), ec.ECDSA(Prehashed(SHA256())))
    except (OSError, ValueError, UnsupportedAlgorithm, InvalidSignature):
        return "the signature of its gate's report is wrong"
    return ""
