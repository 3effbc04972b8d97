"""Writes what Mosquitto needs to serve a site."""

import getpass
import os
from dataclasses import dataclass
from pathlib import Path

from gustbed_broker.access import acl_file, clients
from gustbed_broker.passwords import ensure_passwords, password_file
from gustbed_core.settings import SiteSettings

CONFIG = "mosquitto.conf"
MAX_PACKET_BYTES = 16 * 1024 * 1024
"""Far above any good message: oversized ones are the edge's to count, not the broker's to hide."""


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """Where the broker's files go and where it listens. ``host`` None: all interfaces."""

    folder: Path
    credentials: Path
    host: str | None
    port: int
    anonymous: bool = False
    shared_twin: bool = False


def configure(files: BrokerFiles, site: SiteSettings) -> Path:
    """Write configuration, ACL and passwords; keep passwords that exist. Return the config."""
    folder = files.folder.resolve()
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    everyone = clients(site.site, site.turbine_ids, shared_twin=files.shared_twin)
    passwords = ensure_passwords(files.credentials, [client.user for client in everyone])
    _write(folder / "passwd", password_file(passwords))
    _write(folder / "acl", acl_file(everyone))
    _write(folder / CONFIG, _config(files, folder, data))
    return folder / CONFIG


def _config(files: BrokerFiles, folder: Path, data: Path) -> str:
    lines = [
        "# Written by gustbed_broker; changes are lost.",
        f"listener {files.port} {files.host or ''}".rstrip(),
        "persistence true",
        f"persistence_location {data}/",
        "autosave_interval 30",
        "persistent_client_expiration 7d",
        f"max_packet_size {MAX_PACKET_BYTES}",
        "max_queued_messages 10000",
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
    if files.anonymous:
        lines.append("allow_anonymous true")
    else:
        lines += [
            "allow_anonymous false",
            f"password_file {folder / 'passwd'}",
            f"acl_file {folder / 'acl'}",
        ]
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.touch(mode=0o600)
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
