"""The factory model is signed by a key that is kept nowhere."""

from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from gustbed_core.errors import GustbedError
from gustbed_core.jobs import RELEASE_FILE, Release, release_from_json
from gustbed_core.package import read_package, sha256
from gustbed_training.detectors.registry import DETECTORS
from gustbed_training.pipeline import factory
from gustbed_training.pipeline.factory import KEY_FILE, KEY_ID, make_factory, sign
from gustbed_training.pipeline.identity import Identity
from gustbed_training.pipeline.steps import BASELINE
from tests.unit.training.toy import FAULTY, Mean, write_dataset

PACKED = b"stands for a package"
IDENTITY = Identity("toy-type", "1.0.0")


def _verify(folder: Path, release: Release) -> None:
    key = serialization.load_pem_public_key((folder / KEY_FILE).read_bytes())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    _, signature = release_from_json((folder / RELEASE_FILE).read_bytes())
    assert signature.key_id == KEY_ID
    key.verify(signature.der(), release.digest(), ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def test_the_release_is_signed_and_the_private_key_is_not_written(tmp_path: Path) -> None:
    written = sign(PACKED, IDENTITY, tmp_path)
    release, _ = release_from_json((tmp_path / RELEASE_FILE).read_bytes())
    assert (release.size, release.sha256) == (len(PACKED), sha256(PACKED))
    _verify(tmp_path, release)
    with pytest.raises(InvalidSignature):
        _verify(tmp_path, Release(release.name, "9.9.9", release.size, release.sha256))
    assert sorted(tmp_path.iterdir()) == sorted(written)
    assert all(b"PRIVATE" not in path.read_bytes() for path in written)


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A twin that makes the toy's dataset, and its detector as the shipped one."""
    data = write_dataset(tmp_path / "data", ((), (), FAULTY))
    monkeypatch.setattr(factory, "training_profile", lambda kind: kind)
    monkeypatch.setattr(factory, "made", lambda *_: data)
    monkeypatch.setitem(DETECTORS, "compact", Mean)
    monkeypatch.setitem(DETECTORS, BASELINE, Mean)


@pytest.mark.usefixtures("shipped")
def test_a_factory_model_lies_in_a_folder_of_its_name_with_its_release(tmp_path: Path) -> None:
    written = make_factory("toy_type", tmp_path / "factory", tmp_path / "home", lambda _: None)
    folder = tmp_path / "factory" / "toy-type"
    assert sorted(written) == sorted(folder.iterdir())
    release, _ = release_from_json((folder / RELEASE_FILE).read_bytes())
    manifest = read_package((folder / "package.tar.gz").read_bytes()).manifest
    assert (manifest.name, manifest.version) == (release.name, release.version)
    _verify(folder, release)


@pytest.mark.usefixtures("shipped")
def test_a_model_that_its_gate_refuses_does_not_ship(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_factory("toy_type", tmp_path / "factory", tmp_path / "home", lambda _: None)
    folder = tmp_path / "factory" / "toy-type"
    before = (folder / "package.tar.gz").read_bytes()
    monkeypatch.setitem(DETECTORS, "compact", lambda: Mean(weaken=0.9))
    with pytest.raises(GustbedError, match="keeps its model"):
        make_factory("toy_type", tmp_path / "factory", tmp_path / "other", lambda _: None)
    assert (folder / "package.tar.gz").read_bytes() == before
