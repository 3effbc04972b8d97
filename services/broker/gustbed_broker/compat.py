"""A broker for applications of the reference systems: anonymous, and only their one topic.

It is a process of its own, bridged to the site's broker: who is anonymous could take any client
id there, the edge's too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gustbed_broker import mosquitto
from gustbed_broker.access import REFERENCE
from gustbed_broker.files import write_private
from gustbed_core import topics
from gustbed_core.site_directory import CA

CONFIG = "compat.conf"


@dataclass(frozen=True, slots=True)
class CompatBroker:
    """Where its files go, where it listens, and by which name it reaches the site's broker."""

    folder: Path
    host: str | None
    port: int
    site_broker: str = "127.0.0.1"


def write_compat(
    compat: CompatBroker, site_port: int, ca: bytes | None, passwords: Mapping[str, str]
) -> None:
    """Write its configuration, which holds the bridge's password.

    ``site_port`` is the site broker's for machines, ``ca`` what it is trusted by if it speaks TLS.
    """
    folder = compat.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(folder / "acl", f"{mosquitto.HEADER}\ntopic readwrite {topics.LEGACY_RAW}\n")
    lines = [
        mosquitto.HEADER,
        *mosquitto.common(),
        f"listener {compat.port} {compat.host or ''}".rstrip(),
        "allow_anonymous true",
        f"acl_file {folder / 'acl'}",
        "",
        "connection site",
        f"address {compat.site_broker}:{site_port}",
        f"topic {topics.LEGACY_RAW} both 0",
        f"remote_username {REFERENCE}",
        f"remote_password {passwords[REFERENCE]}",
        "cleansession true",
        "notifications false",
        "try_private true",
        "restart_timeout 1 8",
    ]
    if ca is not None:
        write_private(folder / CA, ca)
        lines.append(f"bridge_cafile {folder / CA}")
    write_private(folder / CONFIG, "\n".join(lines) + "\n")
