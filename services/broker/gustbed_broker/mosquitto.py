"""Mosquitto's configuration file."""

import getpass
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gustbed_broker.certificates import SERVER, SERVER_KEY
from gustbed_core.site_directory import CA

MAX_PACKET_BYTES = 16 * 1024 * 1024
"""Far above any good message: oversized ones are the edge's to count, not the broker's to hide."""
HEADER = "# Written by gustbed_broker; changes are lost."


@dataclass(frozen=True, slots=True)
class Listener:
    """A port of the broker. ``passwords`` None: anybody, and no access list.

    ``one_session_each`` gives every session its user's name as client id, whatever id it asked
    for: nobody can take over the session of another user.
    """

    host: str | None
    port: int
    passwords: Path | None
    one_session_each: bool = False
    tls: bool = False
    client_certificates: bool = False


def config(listeners: Iterable[Listener], folder: Path, data: Path) -> str:
    """The broker's configuration; ``folder`` has its certificates and its access list."""
    lines = [
        HEADER,
        "per_listener_settings true",
        *common(),
        "persistence true",
        f"persistence_location {data}/",
        "autosave_interval 30",
        "persistent_client_expiration 7d",
        "max_queued_messages 10000",
        # A retained message outlives the listener that it came by: another port is no reason to
        # withhold it.
        "check_retain_source false",
    ]
    for listener in listeners:
        lines += ["", *_listener(listener, folder)]
    return "\n".join(lines) + "\n"


def common() -> list[str]:
    """What holds for every broker of a site."""
    lines = [
        f"max_packet_size {MAX_PACKET_BYTES}",
        # Or small messages wait up to 40 ms for the acknowledgement of those before them.
        "set_tcp_nodelay true",
        "log_dest stdout",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "connection_messages false",
    ]
    if os.geteuid() == 0:
        # Mosquitto would drop to a user that cannot read these files.
        lines.append(f"user {getpass.getuser()}")
    return lines


def _listener(listener: Listener, folder: Path) -> list[str]:
    lines = [f"listener {listener.port} {listener.host or ''}".rstrip()]
    if listener.passwords is None:
        lines.append("allow_anonymous true")
    else:
        lines += ["allow_anonymous false", f"acl_file {folder / 'acl'}"]
        if not listener.client_certificates:
            lines.append(f"password_file {listener.passwords}")
    if listener.one_session_each:
        lines.append("use_username_as_clientid true")
    if listener.tls:
        lines += [
            f"certfile {folder / SERVER}",
            f"keyfile {folder / SERVER_KEY}",
            "tls_version tlsv1.2",
        ]
    if listener.client_certificates:
        lines += [
            f"cafile {folder / CA}",
            "require_certificate true",
            "use_identity_as_username true",
        ]
    return lines
