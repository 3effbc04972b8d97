"""What changes between a checkout's command line and an installed one."""

from pathlib import Path

import pytest

from gustbed_cli import checkout, setup
from gustbed_cli.fleet import Fleet, PlaceSettings
from gustbed_cli.runtime import docker, preflight
from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings
from tests.support.paths import ROOT


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No checkout, and a person who stands in an empty folder."""
    monkeypatch.setattr(checkout, "__file__", str(tmp_path / "a" / "b" / "c" / "checkout.py"))
    monkeypatch.delenv("GUSTBED_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_checkout_keeps_its_state_wherever_one_stands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GUSTBED_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert checkout.find_checkout() == ROOT
    assert PlaceSettings().home == ROOT / ".gustbed"


def test_an_installed_one_keeps_it_in_the_current_folder(installed: Path) -> None:
    assert checkout.find_checkout() is None
    assert PlaceSettings().home == installed / ".gustbed"


def test_what_needs_a_checkout_says_so(installed: Path) -> None:
    assert installed
    with pytest.raises(GustbedError, match="gustbed bench needs a checkout"):
        checkout.require_checkout("gustbed bench")
    reason = docker.unusable_because()
    assert reason is not None
    assert "checkout" in reason.what


def test_a_missing_library_is_named_with_the_package_that_brings_it(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installed
    setup.ensure("twin")
    monkeypatch.setitem(setup.NEEDED, "twin", (("numpy", "nowhere_to_be_found"), "a-package"))
    with pytest.raises(GustbedError, match=r"nowhere_to_be_found .*pip install 'a-package'"):
        setup.ensure("twin")


def test_a_persons_turbine_types_reach_services_that_run_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    site = SiteSettings(types_dir=Path("mine"))
    environment = Fleet(PlaceSettings(home=tmp_path), site, "local").environment()
    assert environment["GUSTBED_TYPES_DIR"] == str(tmp_path / "mine")
    none = Fleet(PlaceSettings(home=tmp_path), SiteSettings(types_dir=None), "local")
    assert "GUSTBED_TYPES_DIR" not in none.environment()


def test_what_is_wrong_with_a_persons_types_is_said_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = Fleet(PlaceSettings(home=tmp_path), SiteSettings(types_dir=tmp_path), "local")
    preflight.turbine_types(own)
    (tmp_path / "mill.yaml").write_text("name: mill\n")
    with pytest.raises(GustbedError, match=r"mill\.yaml"):
        preflight.turbine_types(own)
    monkeypatch.setenv("GUSTBED_TWIN_TYPES", str(tmp_path))
    with pytest.raises(GustbedError, match="GUSTBED_TYPES_DIR"):
        preflight.turbine_types(own)
