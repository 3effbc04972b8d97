"""Writes what Mosquitto needs to serve a site."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gustbed_broker import certificates, mosquitto
from gustbed_broker.access import Client, acl_file, clients
from gustbed_broker.compat import CompatBroker, write_compat
from gustbed_broker.files import write_private
from gustbed_broker.mosquitto import Listener
from gustbed_broker.passwords import ensure_passwords, password_file
from gustbed_core.errors import GustbedError
from gustbed_core.settings import PLAIN_PORT, TLS_PORT, SiteSettings
from gustbed_core.site_directory import CA, OPERATOR, SiteEntry, write_site

CONFIG = "mosquitto.conf"


@dataclass(frozen=True, slots=True)
class Listing:
    """Where operators' tools learn of the site, and the addresses that they are told: the broker's
    name, and the edge's HTTP.
    """

    directory: Path
    host: str
    edge_url: str


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """Where the broker's files go, where it listens and how.

    ``host`` None: all interfaces. ``port`` None: 1883, or 8884 with TLS. ``tools_port`` is the
    listener of tools, of which many sessions may run at once; the next port if None. TLS is
    spoken where others than this machine listen, or if ``tls``; ``plaintext`` forbids it, which
    elsewhere than on this machine needs ``anonymous``, the development profile. ``names`` are
    what clients call this machine. ``client_certificates``: each machine shows one of its own.
    ``compat`` is the broker of the reference systems' applications, None for none; ``listing``
    tells operators' tools of the site.
    """

    folder: Path
    credentials: Path
    host: str | None
    port: int | None = None
    anonymous: bool = False
    shared_twin: bool = False
    tools_port: int | None = None
    tls: bool = False
    plaintext: bool = False
    names: tuple[str, ...] = ()
    client_certificates: bool = False
    renew_ca: bool = False
    compat: CompatBroker | None = None
    listing: Listing | None = None

    @property
    def speaks_tls(self) -> bool:
        """Whether clients must. Raises ``GustbedError`` if that contradicts what was asked."""
        away = not _is_loopback(self.host)
        if not self.plaintext:
            if self.client_certificates and not (away or self.tls):
                raise GustbedError("--certificates without TLS", "add --tls")
            return away or self.tls
        if self.tls or self.client_certificates:
            raise GustbedError("--plaintext with --tls or --certificates", "choose one")
        if away and not self.anonymous:
            raise GustbedError(
                f"plaintext on {self.host or 'all interfaces'} would show passwords to the network",
                "leave --plaintext out, or add --anonymous for development without any passwords",
            )
        return False

    @property
    def machines_port(self) -> int:
        """Where turbines, the edge and other machines connect."""
        return self.port or (TLS_PORT if self.speaks_tls else PLAIN_PORT)

    @property
    def listener_of_tools(self) -> int:
        """Where people's tools connect; an anonymous broker has one listener for all."""
        return self.machines_port if self.anonymous else self.tools_port or self.machines_port + 1


def configure(files: BrokerFiles, site: SiteSettings) -> Path:
    """Write configuration, ACL, passwords and certificates; keep what exists of the last two.

    Returns the configuration's path. Raises ``GustbedError`` and ``OSError``.
    """
    tls = files.speaks_tls
    folder = files.folder.resolve()
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    everyone = clients(site.site, site.turbine_ids, shared_twin=files.shared_twin)
    passwords = ensure_passwords(files.credentials, [client.user for client in everyone])
    tools = {client.user: passwords[client.user] for client in everyone if client.is_tool}
    write_private(folder / "passwd", password_file(passwords))
    write_private(folder / "passwd-tools", password_file(tools))
    write_private(folder / "acl", acl_file(everyone))
    if tls:
        _certify(files, folder, site.site, everyone)
    write_private(folder / CONFIG, mosquitto.config(_listeners(files, folder), folder, data))
    if files.compat is not None:
        ca = (folder / CA).read_bytes() if tls else None
        write_compat(files.compat, files.machines_port, ca, passwords)
    if files.listing is not None:
        _list(files.listing, files, site, passwords[OPERATOR])
    return folder / CONFIG


def _listeners(files: BrokerFiles, folder: Path) -> list[Listener]:
    machines = Listener(
        files.host,
        files.machines_port,
        folder / "passwd",
        one_session_each=True,
        tls=files.speaks_tls,
        client_certificates=files.client_certificates,
    )
    if files.anonymous:
        return [
            Listener(files.host, files.machines_port, None, tls=files.speaks_tls),
        ]
    password_file_of_tools = folder / "passwd-tools"
    tools = Listener(
        files.host, files.listener_of_tools, password_file_of_tools, tls=files.speaks_tls
    )
    return [machines, tools]


def _list(listing: Listing, files: BrokerFiles, site: SiteSettings, password: str) -> None:
    entry = SiteEntry(
        site=site.site,
        turbines=site.turbines,
        host=listing.host,
        tools_port=files.listener_of_tools,
        edge_url=listing.edge_url,
    )
    ca = (files.folder / CA).read_bytes() if files.speaks_tls else None
    write_site(listing.directory, entry, password, ca)


def _certify(files: BrokerFiles, folder: Path, site: str, everyone: Iterable[Client]) -> None:
    now = certificates.utc_now()
    ca = certificates.ensure_ca(folder, site, now, renew=files.renew_ca)
    mine = tuple(host for host in (files.host, files.listing and files.listing.host) if host)
    certificates.ensure_server(folder, ca, (*certificates.OWN_NAMES, *mine, *files.names), now)
    write_private(files.credentials / CA, ca.path.read_bytes())
    if files.client_certificates:
        for client in everyone:
            if not client.is_tool:
                certificates.ensure_client(files.credentials, ca, client.user, now)


def _is_loopback(host: str | None) -> bool:
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
