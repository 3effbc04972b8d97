"""What a fleet's tools know of its sites."""

from pathlib import Path

import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.site_directory import SiteEntry, read_sites, remove_site, write_site


def entry(site: str, turbines: int = 3) -> SiteEntry:
    return SiteEntry(
        site=site,
        turbines=turbines,
        host=f"broker.{site}",
        tools_port=8885,
        edge_url=f"http://edge.{site}:8070",
    )


def test_what_is_written_of_a_site_is_enough_to_speak_to_it(tmp_path: Path) -> None:
    write_site(tmp_path, entry("site-2"), "secret", b"PEM")
    site = read_sites(tmp_path)["site-2"]
    broker = site.mqtt()
    assert (site.settings.site, site.settings.turbines) == ("site-2", 3)
    assert (broker.host, broker.port_of("operator")) == ("broker.site-2", 8885)
    assert broker.password("operator") == "secret"
    assert broker.ca is not None
    assert broker.ca.read_bytes() == b"PEM"


def test_another_sites_variables_do_not_reach_a_site_of_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"HOST": "elsewhere", "TOOLS_PORT": "1", "CA": "/its/ca.pem"}.items():
        monkeypatch.setenv(f"GUSTBED_MQTT_{name}", value)
    write_site(tmp_path, entry("site-2"), "secret", None)
    broker = read_sites(tmp_path)["site-2"].mqtt()
    assert (broker.host, broker.tools_port, broker.ca) == ("broker.site-2", 8885, None)


def test_nobody_else_may_read_a_sites_password(tmp_path: Path) -> None:
    write_site(tmp_path, entry("site-2"), "secret", b"PEM")
    folder = tmp_path / "site-2"
    assert folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def test_a_site_changes_and_goes(tmp_path: Path) -> None:
    for turbines in (3, 5):
        write_site(tmp_path, entry("a", turbines), "secret", b"PEM")
    write_site(tmp_path, entry("b"), "secret", None)
    write_site(tmp_path, entry("a", 5), "secret", None)
    assert {name: site.entry.turbines for name, site in read_sites(tmp_path).items()} == {
        "a": 5,
        "b": 3,
    }
    # It no longer speaks TLS.
    assert read_sites(tmp_path)["a"].mqtt().ca is None
    remove_site(tmp_path, "a")
    remove_site(tmp_path, "a")
    assert set(read_sites(tmp_path)) == {"b"}


def test_a_folder_that_is_not_there_yet_has_no_sites(tmp_path: Path) -> None:
    assert read_sites(tmp_path / "later") == {}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_site(tmp_path, entry("a"), "secret", None)
    path = tmp_path / "a" / "site.json"
    path.write_text("{")
    with pytest.raises(GustbedError, match=r"site\.json"):
        read_sites(tmp_path)
