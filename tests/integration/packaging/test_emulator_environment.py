"""An installed command line makes the emulator's environment from pins, once."""

from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from gustbed_cli.fleet import Fleet, PlaceSettings
from gustbed_cli.runtime import emulator
from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings

METADATA = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets what the package's list of pins says; a wheel of ``tiny`` 1.0 can be had."""
    with ZipFile(tmp_path / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("tiny-1.0.dist-info/WHEEL", WHEEL)
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    lock = tmp_path / "requirements.lock"
    monkeypatch.setattr(emulator, "LOCK", lock)
    monkeypatch.setattr(emulator, "find_checkout", lambda: None)

    def write(line: str) -> None:
        lock.write_text(f"--no-index\n--find-links {tmp_path}\n{line}\n")

    return write


def fleet(home: Path) -> Fleet:
    return Fleet(PlaceSettings(home=home, emulator_python=None), SiteSettings(), "local")


def test_it_is_made_once_and_again_for_other_pins(
    pins: Callable[[str], None], tmp_path: Path
) -> None:
    said: list[str] = []
    own = fleet(tmp_path / "home")
    pins("tiny==1.0")
    emulator.ensure_environment(own, said.append)
    assert "1 packages" in said[0]
    assert list((tmp_path / "home" / "emulator-env").glob("lib/*/site-packages/tiny.py"))
    said.clear()
    emulator.ensure_environment(own, said.append)
    assert said == []

    pins("tiny==2.0")
    with pytest.raises(GustbedError, match=r"tiny==2\.0") as caught:
        emulator.ensure_environment(own, said.append)
    assert len(str(caught.value).splitlines()) == 1
    assert "GUSTBED_EMULATOR_PYTHON" in str(caught.value)
    assert not list((tmp_path / "home" / "emulator-env").glob("requirements.lock"))


def test_a_given_interpreter_must_be_there(tmp_path: Path) -> None:
    own = Fleet(PlaceSettings(emulator_python=tmp_path / "none"), SiteSettings(), "local")
    assert emulator.command(own, "registry.py")[0] == str(tmp_path / "none")
    with pytest.raises(GustbedError, match="none is missing"):
        emulator.ensure_environment(own, print)
