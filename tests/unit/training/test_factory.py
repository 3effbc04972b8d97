"""The factory model is signed by a key that is kept nowhere."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from gustbed_protocol.jobs import Release
from gustbed_protocol.package import sha256
from gustbed_training.pipeline.factory import KEY_FILE, KEY_ID, RELEASE_FILE, sign

PACKED = b"stands for a package"


def _verify(folder: Path, release: Release) -> None:
    key = serialization.load_pem_public_key((folder / KEY_FILE).read_bytes())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    signature = json.loads((folder / RELEASE_FILE).read_text())["signature"]
    assert signature["key_id"] == KEY_ID
    der = base64.b64decode(signature["value"])
    key.verify(der, release.digest(), ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def test_the_release_is_signed_and_the_private_key_is_not_written(tmp_path: Path) -> None:
    written = sign(PACKED, tmp_path)
    release = Release(**json.loads((tmp_path / RELEASE_FILE).read_text())["release"])
    assert (release.size, release.sha256) == (len(PACKED), sha256(PACKED))
    _verify(tmp_path, release)
    with pytest.raises(InvalidSignature):
        _verify(tmp_path, Release(release.name, "9.9.9", release.size, release.sha256))
    assert sorted(tmp_path.iterdir()) == sorted(written)
    assert all(b"PRIVATE" not in path.read_bytes() for path in written)
