"""The command line's bad days: one line that names the variable, exit code 1."""

import socket
from pathlib import Path

import pytest

from gustbed_dashboard.__main__ import main
from tests.support.ports import free_port


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GUSTBED_DASHBOARD_PORT", "70000"),
        ("GUSTBED_EDGE_URL", "ftp://edge"),
        ("GUSTBED_MQTT_PORT", "many"),
        ("GUSTBED_SITE", "a/b"),
        ("GUSTBED_HTTP_ALLOWED_HOSTS", "https://ops.example"),
    ],
)
def test_a_wrong_variable_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)

    assert main([]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"gustbed-dashboard: {variable}: ")
    assert told.count("\n") == 1


def test_a_taken_port_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("GUSTBED_DASHBOARD_PORT", str(port))

        assert main([]) == 1
    told = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in told
    assert "GUSTBED_DASHBOARD_PORT" in told


@pytest.mark.parametrize("sites", ["", "sites-to-come"])
def test_a_wrong_type_file_is_named(
    sites: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GUSTBED_DASHBOARD_SITES_DIR", sites and str(tmp_path / sites))
    (tmp_path / "kite.yaml").write_text("name: kite\ntitle: Kite\nrate_hz: fast\n")
    monkeypatch.setenv("GUSTBED_TYPES_DIR", str(tmp_path))
    monkeypatch.setenv("GUSTBED_DASHBOARD_PORT", str(free_port()))

    assert main([]) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith(f"gustbed-dashboard: {tmp_path / 'kite.yaml'}: rate_hz: ")


def test_health_of_nothing_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GUSTBED_DASHBOARD_PORT", str(free_port()))

    assert main(["health"]) == 1
    assert "is the dashboard running?" in capsys.readouterr().err


def test_an_unknown_command_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as exited:
        main(["dance"])
    assert exited.value.code == 2
