"""Sites on other machines: which machine is meant, and what is passed on to it."""

from pathlib import Path

import pytest

from gustbed_cli.elsewhere.deploy import _seconds_to_be_healthy
from gustbed_cli.elsewhere.sites import (
    RemoteSite,
    find_remote,
    remote_sites,
    require_new,
    settings_of,
)
from gustbed_cli.elsewhere.ssh import _parse, connected
from gustbed_cli.fleet import Fleet, fleet_to_start
from gustbed_core.codec import encode
from gustbed_core.errors import GustbedError


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    monkeypatch.setenv("GUSTBED_HOME", str(tmp_path))
    return fleet_to_start()


def keep(fleet: Fleet, name: str) -> RemoteSite:
    site = RemoteSite(site=name, on="pi@garden", turbines=3)
    folder = fleet.home / "elsewhere" / name
    folder.mkdir(parents=True)
    (folder / "site.json").write_bytes(encode(site))
    return site


@pytest.mark.parametrize(
    ("address", "destination", "port"),
    [
        ("pi@garden", "pi@garden", ""),
        ("garden", "garden", ""),
        ("ssh://pi@garden", "pi@garden", ""),
        ("ssh://pi@garden:2222", "pi@garden", "2222"),
        ("ssh://192.0.2.7/", "192.0.2.7", ""),
    ],
)
def test_a_machine_is_named_as_ssh_names_it(address: str, destination: str, port: str) -> None:
    assert _parse(address) == (destination, port)


@pytest.mark.parametrize(
    "address",
    ["", "-oProxyCommand=id", "http://garden", "ssh://", "ssh://a:b@c:d", "a b", "ssh://a/b"],
)
def test_what_is_no_machine_is_refused(address: str) -> None:
    with pytest.raises(GustbedError):
        _parse(address)


def test_settings_of_a_site_go_along_and_files_of_this_machine_do_not() -> None:
    shell = {
        "GUSTBED_EDGE_UPLINK": "full",
        "GUSTBED_TWIN_SEED": "7",
        "GUSTBED_MQTT_BIND": "0.0.0.0",  # noqa: S104 - passed on, not bound
        "GUSTBED_TWIN_REPLAY": "/home/me/gusts.csv",
        "GUSTBED_MQTT_CA": "/home/me/ca.pem",
        "GUSTBED_EDGE_URL": "http://127.0.0.1:8070",
        "GUSTBED_PORT_MQTT": "1999",
        "GUSTBED_EDGE_OPEN_AFTER": "",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    assert set(settings_of(shell)) == {
        "GUSTBED_EDGE_UPLINK",
        "GUSTBED_TWIN_SEED",
        "GUSTBED_MQTT_BIND",
    }


@pytest.mark.parametrize("said", ["soon", "0", "-3", "1.5"])
def test_seconds_that_are_none_are_named_before_anything_is_sent(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUSTBED_HEALTHY_WITHIN", said)
    with pytest.raises(GustbedError, match="GUSTBED_HEALTHY_WITHIN"):
        _seconds_to_be_healthy()


@pytest.mark.parametrize("tool", ["ssh", "docker"])
def test_a_tool_that_is_missing_here_is_named(tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "gustbed_cli.elsewhere.ssh.shutil.which", lambda name: None if name == tool else name
    )
    with pytest.raises(GustbedError, match=f"{tool} is not installed"), connected("pi@garden"):
        pass


def test_sites_elsewhere_are_remembered_and_their_names_are_taken(fleet: Fleet) -> None:
    keep(fleet, "pi-10")
    two = keep(fleet, "pi-2")
    assert [each.site for each in remote_sites(fleet)] == ["pi-2", "pi-10"]
    assert find_remote(fleet, "pi-2") == two
    assert find_remote(fleet, "site-1") is None
    for taken in ("pi-2", "PI-2", "site-1", "a/b"):
        with pytest.raises(GustbedError):
            require_new(fleet, taken)
    require_new(fleet, "pi-3")


def test_a_file_that_cannot_be_read_is_named(fleet: Fleet) -> None:
    keep(fleet, "pi-2")
    path = fleet.home / "elsewhere" / "pi-2" / "site.json"
    path.write_text("{")
    with pytest.raises(GustbedError, match="elsewhere/pi-2"):
        remote_sites(fleet)
