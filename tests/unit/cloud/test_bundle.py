"""What a function is deployed as: an archive that depends on its source alone."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from gustbed_cloud.bundle import FUNCTIONS, bundle
from tests.unit.cloud.functions import CLOUD


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bundle_is_reproducible_and_needs_nothing_but_python(name: str, tmp_path: Path) -> None:
    first = bundle(name, CLOUD)
    assert first == bundle(name, CLOUD)
    # As Lambda does.
    with zipfile.ZipFile(io.BytesIO(first.data)) as archive:
        archive.extractall(tmp_path)
    script = (
        "import importlib, sys; sys.path.insert(0, sys.argv[1]); "
        "importlib.import_module(sys.argv[2]).handler"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, str(tmp_path), f"{name}.handler"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_bundle_changes_with_its_source(tmp_path: Path) -> None:
    folder = tmp_path / "functions" / "alert"
    folder.mkdir(parents=True)
    text = (CLOUD / "functions" / "alert" / "handler.py").read_text()
    (folder / "handler.py").write_text(text + "\n# changed\n")
    assert bundle("alert", tmp_path).key != bundle("alert", CLOUD).key
