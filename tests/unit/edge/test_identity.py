"""The key is made once, stays private, and is what the request is signed with."""

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gustbed_core.enrolment import Endpoint, request_path
from gustbed_core.errors import GustbedError
from gustbed_edge.cloud.aws.enrolment import MAX_REFUSAL, AwsIdentity
from gustbed_edge.cloud.aws.identity import KEY, ensure_identity
from gustbed_edge.cloud.ports import CloudContext


def make(tmp_path: Path, thing: str = "gustbed-s") -> tuple[bytes, bytes]:
    request = ensure_identity(tmp_path / "edge", tmp_path / "enrol", thing)
    assert request == request_path(tmp_path / "enrol", thing)
    return (tmp_path / "edge" / KEY).read_bytes(), request.read_bytes()


@pytest.mark.promise("S1")
def test_the_request_is_for_the_thing_and_signed_by_its_key(tmp_path: Path) -> None:
    pem, request = make(tmp_path)
    read = x509.load_pem_x509_csr(request)
    assert read.is_signature_valid
    assert read.subject.rfc4514_string() == "CN=gustbed-s"
    assert read.public_key() == load_pem_private_key(pem, None).public_key()


@pytest.mark.promise("S1")
def test_the_key_is_readable_by_its_owner_only_and_stays_home(tmp_path: Path) -> None:
    make(tmp_path)
    assert stat.S_IMODE((tmp_path / "edge" / KEY).stat().st_mode) == 0o600
    handed_over = [path for path in (tmp_path / "enrol").rglob("*") if path.is_file()]
    assert all(b"PRIVATE" not in path.read_bytes() for path in handed_over)


def test_a_key_that_is_there_is_kept_and_so_is_its_request(tmp_path: Path) -> None:
    assert make(tmp_path) == make(tmp_path)


def test_a_request_of_another_key_is_replaced(tmp_path: Path) -> None:
    key, request = make(tmp_path)
    (tmp_path / "edge" / KEY).unlink()
    other_key, other_request = make(tmp_path)
    assert key != other_key
    assert request != other_request


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_a_broken_key_is_named_and_not_overwritten(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "edge").mkdir()
    (tmp_path / "edge" / KEY).write_bytes(content)
    with pytest.raises(GustbedError, match=KEY):
        make(tmp_path)
    assert (tmp_path / "edge" / KEY).read_bytes() == content


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "edge").write_text("a file")
    with pytest.raises(GustbedError, match="GUSTBED_EDGE_DATA_DIR"):
        make(tmp_path)


@pytest.mark.promise("S1")
def test_what_earlier_versions_were_answered_is_still_there_after_an_update(
    tmp_path: Path,
) -> None:
    old = tmp_path / "enrol" / "gustbed-s"
    (old / "signing-keys").mkdir(parents=True)
    for name in ("request.csr", "certificate.pem", "signing-keys/k1.pem"):
        (old / name).write_text(name)
    (old / "endpoint.json").write_text('{"host": "iot", "port": 8883}')
    identity = AwsIdentity(CloudContext("gustbed-s", tmp_path / "edge", tmp_path / "enrol"))
    answer = identity.answer()
    assert answer is not None
    assert (answer.certificate, answer.endpoint) == (b"certificate.pem", Endpoint("iot", 8883))
    assert (identity.folder / "signing-keys" / "k1.pem").exists()
    assert not old.exists()


def test_refusal_is_read_and_bounded(tmp_path: Path) -> None:
    identity = AwsIdentity(CloudContext("gustbed-s", tmp_path / "edge", tmp_path / "enrol"))
    assert identity.refusal() == ""
    identity.folder.mkdir(parents=True)
    (identity.folder / "refused.txt").write_bytes(b"its certificate was revoked\n")
    assert identity.refusal() == "its certificate was revoked"
    (identity.folder / "refused.txt").write_bytes(b"\xff" * 100_000)
    assert len(identity.refusal()) == MAX_REFUSAL


def test_enrolment_needs_nothing_of_the_answers_but_to_read_them(tmp_path: Path) -> None:
    """The edge's container mounts them read-only."""
    make(tmp_path)
    assert [path.name for path in (tmp_path / "enrol").iterdir()] == ["requests"]
