"""The Python side: readable errors, requests, folding of events, settings."""

import os
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as aws
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from gustbed_cloud.aws import readable_errors
from gustbed_cloud.enrol import is_answered, read_request, requests, write_whole
from gustbed_cloud.logs import fold
from gustbed_cloud.outputs import from_description
from gustbed_cloud.settings import CloudSettings
from gustbed_core.errors import GustbedError
from gustbed_core.settings import load


def answer(code: str, message: str = "no") -> aws.ClientError:
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, "CreateJob")


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (aws.NoCredentialsError(), "AWS_PROFILE"),
        (aws.NoRegionError(), "AWS_REGION"),
        (aws.EndpointConnectionError(endpoint_url="http://x"), "AWS_ENDPOINT_URL"),
        (aws.ConnectTimeoutError(endpoint_url="http://x"), "AWS_ENDPOINT_URL"),
        (aws.ProfileNotFound(profile="x"), "AWS_PROFILE"),
        (answer("AccessDeniedException"), "CreateJob"),
        (answer("ExpiredTokenException"), "AWS_ACCESS_KEY_ID"),
        (answer("ThrottlingException"), "ThrottlingException"),
        (ValueError("Invalid endpoint: nonsense"), "AWS_ENDPOINT_URL"),
    ],
)
def test_failures_of_aws_are_one_line_that_names_the_mend(error: Exception, named: str) -> None:
    with pytest.raises(GustbedError) as caught, readable_errors():
        raise error
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_errors_that_are_not_of_aws_are_left_alone() -> None:
    with pytest.raises(ValueError, match="something else"), readable_errors():
        raise ValueError("something else")


def csr(key: Any, path: Path) -> Path:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "edge")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    pem = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    path.write_bytes(pem)
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ],
)
def test_sound_request_is_read(make: Any, tmp_path: Path) -> None:
    key = make()
    request = read_request(csr(key, tmp_path / "request.csr"))
    assert request.public_key() == key.public_key()


def test_request_with_a_weak_key_is_refused(tmp_path: Path) -> None:
    path = csr(ec.generate_private_key(ec.SECP192R1()), tmp_path / "request.csr")
    with pytest.raises(GustbedError, match="weak key"):
        read_request(path)


def test_request_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    path = csr(ec.generate_private_key(ec.SECP256R1()), tmp_path / "request.csr")
    request = x509.load_pem_x509_csr(path.read_bytes())
    der = bytearray(request.public_bytes(serialization.Encoding.DER))
    der[der.index(b"edge")] ^= 1
    tampered = x509.load_der_x509_csr(bytes(der))
    path.write_bytes(tampered.public_bytes(serialization.Encoding.PEM))
    with pytest.raises(GustbedError, match="signature"):
        read_request(path)


def test_missing_request_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(GustbedError, match=r"request\.csr"):
        read_request(tmp_path / "request.csr")


def test_answer_older_than_the_request_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "edge"
    folder.mkdir()
    (folder / "certificate.pem").write_bytes(b"")
    assert not is_answered(tmp_path, "edge")
    csr(ec.generate_private_key(ec.SECP256R1()), folder / "request.csr")
    assert list(requests(tmp_path)) == ["edge"]
    stamp = (folder / "request.csr").stat().st_mtime_ns
    os.utime(folder / "certificate.pem", ns=(stamp - 1, stamp - 1))
    assert not is_answered(tmp_path, "edge")
    os.utime(folder / "certificate.pem", ns=(stamp, stamp))
    assert is_answered(tmp_path, "edge")


def test_equal_content_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    write_whole(path, b"one")
    before = path.stat().st_ino
    write_whole(path, b"one")
    assert path.stat().st_ino == before
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def row(id_: str, change: str, peak: float, closed: float | None = None) -> dict[str, Any]:
    return {
        "id": id_,
        "site": "s",
        "thing": "t",
        "turbine": "wt01",
        "kind": "voltage",
        "opened": 10.0,
        "closed": closed,
        "peak_score": peak,
        "model": {"name": "m", "version": "1.0.0"},
        "change": change,
    }


def test_events_fold_to_their_latest_state_whatever_the_order() -> None:
    opened, updated, closed = (
        row("a", "opened", 1.5),
        row("a", "updated", 3.0),
        row("a", "closed", 3.0, 20.0),
    )
    for rows in ([opened, updated, closed], [closed, opened, updated, closed]):
        (event,) = fold(rows)
        assert (event.change, event.closed, event.peak_score) == ("closed", 20.0, 3.0)
    (event,) = fold([updated, row("a", "updated", 2.0), opened])
    assert (event.change, event.peak_score) == ("updated", 3.0)


def test_rows_that_are_no_events_are_left_out() -> None:
    assert [event.id for event in fold([{"id": "x"}, row("a", "opened", 2.0), {}])] == ["a"]


@pytest.mark.parametrize("name", ["Gustbed", "1st", "a_b", "x" * 40, "ends with space "])
def test_stack_name_that_cannot_name_a_bucket_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUSTBED_STACK", name)
    with pytest.raises(GustbedError, match="GUSTBED_STACK"):
        load(CloudSettings)


def test_stack_without_an_output_is_named() -> None:
    with pytest.raises(GustbedError, match="no output AlertQueueUrl"):
        from_description({"StackName": "gustbed", "StackStatus": "CREATE_FAILED"})
