"""The broker's files: passwords kept, rights least, hashes as Mosquitto reads them."""

import stat
from pathlib import Path

import pytest
from cryptography import x509

from gustbed_broker.access import acl_file, clients
from gustbed_broker.configure import BrokerFiles, Listing, configure
from gustbed_broker.passwords import ensure_passwords, hash_password
from gustbed_core.settings import SiteSettings
from gustbed_core.site_directory import CA, OPERATOR, read_sites


@pytest.mark.promise("S2")
def test_a_turbine_may_write_only_as_itself() -> None:
    turbine = next(c for c in clients("s", ["wt01", "wt02"]) if c.user == "wt01")
    assert turbine.writes == (
        "gustbed/s/wt01/telemetry",
        "gustbed/s/wt01/command/ack",
        "gustbed/s/wt01/reported",
        "gustbed/s/wt01/truth",
    )
    assert turbine.reads == ("gustbed/s/wt01/command", "gustbed/s/wt01/desired")


def test_only_the_operator_asks_for_commissioning_and_only_the_edge_answers() -> None:
    everyone = clients("s", ["wt01"], shared_twin=True)
    asking, answering = "gustbed/s/edge/commission", "gustbed/s/edge/commission/ack"
    assert [c.user for c in everyone if asking in c.writes] == ["operator"]
    assert [c.user for c in everyone if answering in c.writes] == ["edge"]
    assert [c.user for c in everyone if asking in c.reads] == ["edge"]


def test_nobody_but_the_operator_reads_everything() -> None:
    wide = [c.user for c in clients("s", ["wt01"]) if any("#" in topic for topic in c.reads)]
    assert wide == ["operator"]
    assert "topic write" in acl_file(clients("s", ["wt01"]))


def test_passwords_are_private_and_survive_a_second_set_up(tmp_path: Path) -> None:
    first = ensure_passwords(tmp_path, ["edge"])
    second = ensure_passwords(tmp_path, ["edge", "twin"])
    assert first["edge"] == second["edge"]
    assert first["edge"] != second["twin"]
    assert stat.S_IMODE((tmp_path / "edge.password").stat().st_mode) == 0o600


def test_the_hash_is_what_mosquitto_passwd_writes() -> None:
    # Made with: mosquitto_passwd -b file user secret  (Mosquitto 2.0.11)
    assert hash_password("secret", b"0" * 12).startswith("$7$101$MDAwMDAwMDAwMDAw$")


def test_no_password_stands_in_the_broker_folder_in_the_clear(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    configure(BrokerFiles(tmp_path / "broker", credentials, "127.0.0.1", 1), SiteSettings())
    written = "".join(p.read_text() for p in (tmp_path / "broker").iterdir() if p.is_file())
    for path in credentials.iterdir():
        assert path.read_text().strip() not in written


def test_a_site_is_listed_with_what_a_dashboard_needs(tmp_path: Path) -> None:
    listing = Listing(tmp_path / "operators", "broker.north", "http://edge.north:8070")
    files = BrokerFiles(tmp_path / "broker", tmp_path / "credentials", None, listing=listing)
    configure(files, SiteSettings(site="north", turbines=4))

    site = read_sites(listing.directory)["north"]
    assert (site.entry.turbines, site.entry.edge_url) == (4, "http://edge.north:8070")
    broker = site.mqtt()
    assert (broker.host, broker.port_of(OPERATOR)) == ("broker.north", files.listener_of_tools)
    password = tmp_path / "credentials" / "operator.password"
    assert broker.password(OPERATOR) == password.read_text().strip()
    # Its certificate is for the name by which it is listed, and the CA is listed with it.
    certificate = x509.load_pem_x509_certificate((tmp_path / "broker" / "server.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "broker.north" in names.get_values_for_type(x509.DNSName)
    assert broker.ca is not None
    assert broker.ca.read_bytes() == (tmp_path / "broker" / CA).read_bytes()
