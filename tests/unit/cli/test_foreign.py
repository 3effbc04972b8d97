"""What a person's shell says of other things does not reach the fleet's processes."""

import subprocess
import sys
from pathlib import Path
from urllib.request import proxy_bypass

import pytest
from botocore.utils import get_environ_proxies

from gustbed_cli.fleet import Fleet, PlaceSettings
from gustbed_cli.foreign import without_foreign
from gustbed_core.settings import SiteSettings


def environment(tmp_path: Path) -> dict[str, str]:
    return Fleet(PlaceSettings(home=tmp_path), SiteSettings(), "local").environment()


@pytest.mark.promise("P0")
@pytest.mark.parametrize("said", ["", "corp.example,10.0.0.0/8"])
def test_a_proxy_is_for_the_world_and_not_for_the_fleet_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", said)
    monkeypatch.delenv("no_proxy", raising=False)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    assert not get_environ_proxies("http://127.0.0.1:4566/")
    assert not get_environ_proxies("http://localhost:4567/")
    assert get_environ_proxies("https://iot.eu-central-1.amazonaws.com/")
    assert proxy_bypass("127.0.0.1:8070")
    assert bool(proxy_bypass("corp.example")) == bool(said)


@pytest.mark.promise("P0")
def test_another_pythons_variables_reach_no_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit('shadowed')")
    (tmp_path / "startup.py").write_text("")
    foreign = {
        "PYTHONPATH": str(tmp_path),
        "PYTHONSTARTUP": str(tmp_path / "startup.py"),
        "PYTHONWARNINGS": "error",
        "PYTHONINSPECT": "1",
        "VIRTUAL_ENV": "/somewhere/else",
    }
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    clean = environment(tmp_path)
    assert not foreign.keys() & clean.keys()
    done = subprocess.run(
        [sys.executable, "-c", "import msgspec; msgspec.Struct"],
        env=clean,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_what_only_says_how_python_writes_stays() -> None:
    kept = without_foreign({"PYTHONUNBUFFERED": "1", "HOME": "/home/me", "LANG": "C"})
    assert {"PYTHONUNBUFFERED", "HOME", "LANG"} <= kept.keys()
