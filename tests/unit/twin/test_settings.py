"""Settings and heartbeat: every mistake names its variable or file."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings, load
from gustbed_twin.__main__ import main
from gustbed_twin.publisher.build import build_source
from gustbed_twin.publisher.health import (
    FRESH_S,
    Health,
    check_health,
    health_file,
    open_data_dir,
    write_health,
)
from gustbed_twin.settings import TwinSettings

HEALTHY = Health(1000.0, "site-1", 1, 6, 6, online=True, blocks=9, dropped=0)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("GUSTBED_"):
            monkeypatch.delenv(name)


def test_defaults_go_together() -> None:
    built = build_source(load(TwinSettings), load(SiteSettings))
    assert (built.samples, built.rate_hz) == (10, 20)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SEED": "-1"}, "SEED"),
        ({"RATE_HZ": "fast"}, "RATE_HZ"),
        ({"ENCODING": "xml"}, "ENCODING"),
        ({"WIND_MEAN": "nan"}, "WIND_MEAN"),
        ({"INTERVAL_S": "0.33"}, "INTERVAL_S"),
        ({"INTERVAL_S": "0.01"}, "INTERVAL_S"),
        ({"LEGACY": "wt99"}, "LEGACY"),
        ({"LEGACY": "wt01", "LEGACY_RATE_HZ": "7"}, "LEGACY_RATE_HZ"),
        ({"LEGACY": "wt01", "LEGACY_RATE_HZ": "40"}, "LEGACY_RATE_HZ"),
        ({"LAYOUT": "a.yaml"}, "LAYOUT: type mini takes none"),
        ({"WAKE": "gauss"}, "WAKE: type mini takes none"),
        ({"DIRECTION": "90"}, "DIRECTION: not for type mini"),
        ({"WIND_MS": "12"}, "WIND_MEAN 12: at most 10 rev/s"),
        ({"TYPE": "nobodys"}, "TYPE: no turbine type 'nobodys'"),
        ({"TYPE": "nrel_5mw", "RATE_HZ": "10"}, "RATE_HZ is 10: type nrel_5mw runs at 20"),
        ({"TYPE": "nrel_5mw", "LEGACY": "wt01"}, "LEGACY: the record needs channels"),
    ],
)
def test_a_mistake_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"GUSTBED_TWIN_{name}", value)
    with pytest.raises(GustbedError, match=f"GUSTBED_TWIN_{named}"):
        build_source(load(TwinSettings), load(SiteSettings))


def test_run_with_a_bad_setting_prints_one_line_and_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("GUSTBED_TWIN_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("GUSTBED_TWIN_REPLAY", str(tmp_path / "none.csv"))
    assert main(["run"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("gustbed-twin: ")
    assert "none.csv" in error
    assert error.count("\n") == 1


@pytest.fixture
def heartbeat(tmp_path: Path) -> Path:
    return health_file(tmp_path, "site-1")


def test_a_fresh_heartbeat_is_healthy(heartbeat: Path) -> None:
    write_health(heartbeat, HEALTHY)
    assert check_health(heartbeat, now=1001.0) == HEALTHY


def test_an_old_a_missing_a_broken_and_a_lonely_heartbeat_are_not(heartbeat: Path) -> None:
    with pytest.raises(GustbedError, match="is the twin running"):
        check_health(heartbeat)
    write_health(heartbeat, HEALTHY)
    with pytest.raises(GustbedError, match="old"):
        check_health(heartbeat, now=1000.0 + FRESH_S + 1)
    write_health(heartbeat, replace(HEALTHY, connected=5, online=False))
    with pytest.raises(GustbedError, match="5 of 6 turbines"):
        check_health(heartbeat, now=1001.0)
    heartbeat.write_text("{")
    with pytest.raises(GustbedError, match=r"health\.json"):
        check_health(heartbeat)


def test_the_health_command_looks_at_its_own_site(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GUSTBED_TWIN_DATA_DIR", str(tmp_path))
    write_health(health_file(tmp_path, "site-2"), replace(HEALTHY, t=time.time()))
    assert main(["health"]) == 1
    assert capsys.readouterr().err.startswith("gustbed-twin: ")
    monkeypatch.setenv("GUSTBED_SITE", "site-2")
    assert main(["health"]) == 0


def test_an_unwritable_data_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GustbedError, match="GUSTBED_TWIN_DATA_DIR"):
        open_data_dir(tmp_path / "file" / "x")


def test_the_shards_of_a_farm_have_a_heartbeat_each(tmp_path: Path) -> None:
    files = [health_file(tmp_path, "site-1", shard) for shard in ("1/1", "1/2", "2/2")]

    assert len(set(files)) == 3
    assert files[0] == health_file(tmp_path, "site-1")
