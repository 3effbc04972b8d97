"""A pipeline vouches for what it judged, with a key that stays with it."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gustbed_core.archive import GATE, read_members
from gustbed_core.errors import GustbedError
from gustbed_core.gate_report import PRIVATE_KEY, PUBLIC_KEYS, report_from_json
from gustbed_core.package import read_package, write_package
from gustbed_training.pipeline.gate import Gate
from gustbed_training.pipeline.identity import Identity
from gustbed_training.pipeline.sagemaker import MARK
from gustbed_training.pipeline.vouching import KEY_VARIABLE, pipeline_key, vouch
from tests.support.packages import tiny_package

TINY = Identity("tiny", "1.0.0")


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    return write_package(tiny_package(), tmp_path / "p.tar.gz")


def test_a_package_gets_the_gates_report_and_stays_what_it_was(
    archive: bytes, tmp_path: Path
) -> None:
    sealed = vouch(archive, TINY, Gate((), ("pca", "tiny 0.9.0")), tmp_path)
    assert vouch(sealed, TINY, Gate((), ("pca", "tiny 0.9.0")), tmp_path) == sealed
    before, after = read_members(archive), read_members(sealed)
    report = report_from_json(after.pop(GATE)).report
    assert before == after
    assert (report.result, report.against) == ("passed", "pca, tiny 0.9.0")
    assert read_package(sealed).manifest == read_package(archive).manifest
    refused = vouch(archive, TINY, Gate(("worse than pca",), ()), tmp_path)
    assert report_from_json(read_members(refused)[GATE]).report.result == "worse than pca"


@pytest.mark.promise("S4")
def test_the_key_is_made_once_for_this_user_alone_and_is_in_no_package(
    archive: bytes, tmp_path: Path
) -> None:
    _, key_id = pipeline_key(tmp_path)
    path = tmp_path / PRIVATE_KEY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    pem = path.read_bytes()
    assert pipeline_key(tmp_path)[1] == key_id
    assert path.read_bytes() == pem
    assert [each.name for each in path.parent.iterdir() if each.is_file()] == [path.name]
    public = tmp_path / PUBLIC_KEYS / f"{key_id}.pem"
    assert public.read_bytes().startswith(b"-----BEGIN PUBLIC KEY")
    sealed = vouch(archive, TINY, Gate((), ()), tmp_path)
    assert all(b"PRIVATE" not in data for data in read_members(sealed).values())


def test_a_key_that_is_given_is_used_and_none_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key_id = pipeline_key(tmp_path / "one")
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "one" / PRIVATE_KEY))
    assert pipeline_key(tmp_path / "other")[1] == key_id
    assert not (tmp_path / "other").exists()


@pytest.mark.promise("S4")
def test_a_job_whose_folders_go_to_s3_makes_no_key(
    archive: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARK, "{}")
    assert vouch(archive, TINY, Gate((), ()), tmp_path / "checkpoints") == archive
    assert not (tmp_path / "checkpoints").exists()
    pipeline_key(tmp_path / "given")
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "given" / PRIVATE_KEY))
    assert GATE in read_members(vouch(archive, TINY, Gate((), ()), tmp_path / "checkpoints"))


@pytest.mark.parametrize("content", [None, b"", b"key", "curve"])
def test_a_key_that_is_none_is_named(
    content: bytes | str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.pem"
    if content == "curve":
        content = ec.generate_private_key(ec.SECP384R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    if isinstance(content, bytes):
        path.write_bytes(content)
    monkeypatch.setenv(KEY_VARIABLE, str(path))
    with pytest.raises(GustbedError, match=r"key\.pem"):
        pipeline_key(tmp_path)
