"""The local cloud's access key: made once, private, and told apart from a person's own."""

import stat
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cloud.functions import CLOUD, load_from


@pytest.fixture(scope="module")
def access() -> Iterator[Any]:
    """The emulator's script of that name."""
    folder = str(CLOUD / "emulator")
    sys.path.insert(0, folder)
    yield load_from(CLOUD / "emulator", "access")
    sys.path.remove(folder)


@pytest.mark.promise("S4")
def test_whoever_starts_first_makes_the_key_and_all_others_read_it(
    access: Any, tmp_path: Path
) -> None:
    path = tmp_path / "aws" / "credentials"
    with ThreadPoolExecutor(8) as starters:
        keys = set(starters.map(access.ensure_key, [path] * 8))
    assert len(keys) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert access.ensure_key(tmp_path / "another" / "credentials") not in keys
    assert [p.name for p in path.parent.iterdir()] == ["credentials"]


def test_a_key_that_others_could_read_is_made_private(access: Any, tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    key = access.ensure_key(path)
    path.chmod(0o644)
    assert access.ensure_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_wrong_with_the_file_is_one_line(access: Any, tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text("nonsense")
    with pytest.raises(access.AccessError, match=r"credentials: .*delete it"):
        access.ensure_key(path)
    with pytest.raises(access.AccessError, match="GUSTBED_EMULATOR_CREDENTIALS"):
        access.ensure_key(path / "below" / "a" / "file")


def test_the_standard_variables_go_first(access: Any, tmp_path: Path) -> None:
    given = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "hidden"}
    assert access.access_key(given, tmp_path).secret == "hidden"
    assert not list(tmp_path.iterdir())
