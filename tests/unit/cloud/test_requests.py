"""Certificate requests are untrusted: what is read, what is refused, and where they lie."""

import os
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from gustbed_cloud.requests import is_answered, read_request, requests
from gustbed_core.enrolment import adopt_old_layout, answer_folder, request_path
from gustbed_core.errors import GustbedError


def csr(key: Any, path: Path, name: str = "edge") -> Path:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(request.sign(key, digest).public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ],
)
def test_sound_request_is_read(make: Any, tmp_path: Path) -> None:
    key = make()
    request = read_request(csr(key, tmp_path / "request.csr"), "edge")
    assert request.public_key() == key.public_key()


@pytest.mark.promise("S1")
@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP192R1()),
        lambda: ec.generate_private_key(ec.SECP256K1()),
        lambda: ec.generate_private_key(ec.BrainpoolP256R1()),
        lambda: rsa.generate_private_key(public_exponent=65537, key_size=1024),  # noqa: S505
        lambda: dsa.generate_private_key(key_size=2048),
        ed25519.Ed25519PrivateKey.generate,
    ],
    ids=["P-192", "secp256k1", "brainpool", "RSA 1024", "DSA", "Ed25519"],
)
def test_key_that_aws_iot_does_not_take_is_refused_here(make: Any, tmp_path: Path) -> None:
    path = csr(make(), tmp_path / "request.csr")
    with pytest.raises(GustbedError, match="AWS IoT takes no key of this kind: use EC P-256"):
        read_request(path, "edge")


@pytest.mark.promise("S1")
@pytest.mark.parametrize("name", ["other", "edge ", "EDGE", "gustbed-site-1"])
def test_request_for_another_name_than_its_thing_is_refused(tmp_path: Path, name: str) -> None:
    path = csr(ec.generate_private_key(ec.SECP256R1()), tmp_path / "request.csr", name)
    with pytest.raises(GustbedError, match=f"common name '{name}', not 'edge'"):
        read_request(path, "edge")


def test_request_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    path = csr(ec.generate_private_key(ec.SECP256R1()), tmp_path / "request.csr")
    request = x509.load_pem_x509_csr(path.read_bytes())
    der = bytearray(request.public_bytes(serialization.Encoding.DER))
    der[der.index(b"edge")] ^= 1
    tampered = x509.load_der_x509_csr(bytes(der))
    path.write_bytes(tampered.public_bytes(serialization.Encoding.PEM))
    with pytest.raises(GustbedError, match="signature"):
        read_request(path, "edge")


def test_missing_request_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(GustbedError, match=r"request\.csr"):
        read_request(tmp_path / "request.csr", "edge")


@pytest.mark.promise("S1")
def test_what_is_no_plain_file_is_refused_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    secret = csr(ec.generate_private_key(ec.SECP256R1()), tmp_path / "elsewhere.csr")
    pipe, link, folder = tmp_path / "pipe", tmp_path / "link", tmp_path / "folder"
    os.mkfifo(pipe)
    link.symlink_to(secret)
    folder.mkdir()
    for path in (pipe, link, folder, Path("/dev/zero")):
        with pytest.raises(GustbedError, match=str(path)):
            read_request(path, "edge")


def test_answer_older_than_the_request_is_none(tmp_path: Path) -> None:
    certificate = answer_folder(tmp_path, "edge") / "certificate.pem"
    certificate.parent.mkdir(parents=True)
    certificate.write_bytes(b"")
    assert not is_answered(tmp_path, "edge")
    request = csr(ec.generate_private_key(ec.SECP256R1()), request_path(tmp_path, "edge"))
    assert list(requests(tmp_path)) == ["edge"]
    stamp = request.stat().st_mtime_ns
    os.utime(certificate, ns=(stamp - 1, stamp - 1))
    assert not is_answered(tmp_path, "edge")
    os.utime(certificate, ns=(stamp, stamp))
    assert is_answered(tmp_path, "edge")


@pytest.mark.promise("S1")
def test_folder_of_earlier_versions_is_sorted_into_both_directions(tmp_path: Path) -> None:
    old = tmp_path / "edge"
    csr(ec.generate_private_key(ec.SECP256R1()), old / "request.csr")
    before = (old / "request.csr").read_bytes()
    (old / "certificate.pem").write_bytes(b"certificate")
    (old / "signing-keys").mkdir()
    (old / "signing-keys" / "k1.pem").write_bytes(b"key")
    assert list(requests(tmp_path)) == ["edge"]
    assert request_path(tmp_path, "edge").read_bytes() == before
    answer = answer_folder(tmp_path, "edge")
    assert (answer / "certificate.pem").read_bytes() == b"certificate"
    assert (answer / "signing-keys" / "k1.pem").read_bytes() == b"key"
    assert not old.exists()
    adopt_old_layout(tmp_path, "edge")
    assert request_path(tmp_path, "edge").read_bytes() == before


def test_folder_of_earlier_versions_does_not_overwrite_what_is_newer(tmp_path: Path) -> None:
    old = tmp_path / "edge"
    csr(ec.generate_private_key(ec.SECP256R1()), old / "request.csr")
    newer = csr(ec.generate_private_key(ec.SECP256R1()), request_path(tmp_path, "edge"))
    before = newer.read_bytes()
    adopt_old_layout(tmp_path, "edge")
    assert newer.read_bytes() == before
    assert not old.exists()
