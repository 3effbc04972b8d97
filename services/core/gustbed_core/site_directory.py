"""The sites that a fleet's operators may look at: a folder with one folder for each of them.

``<directory>/<site>/`` holds ``site.json``, the operator's password for the site's broker and,
where that speaks TLS, the site's CA. Whoever sets up a site's broker writes it; dashboards read it,
and take up a site that joins while they run.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gustbed_core.errors import GustbedError
from gustbed_core.settings import MqttSettings, SiteSettings

FILE = "site.json"
CA = "site-ca.pem"
"""What a client must have to trust the broker; lies beside the passwords too."""
OPERATOR = "operator"
"""The broker's user for people's tools."""


class SiteEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Where a site's broker listens for tools, and the address of its edge's HTTP."""

    site: str
    turbines: int
    host: str
    tools_port: int
    edge_url: str


@dataclass(frozen=True, slots=True)
class KnownSite:
    """A site of a directory, with the folder that holds what is needed to speak to it."""

    entry: SiteEntry
    folder: Path

    @property
    def settings(self) -> SiteSettings:
        """Name and turbines; the rest as the environment says."""
        return SiteSettings(site=self.entry.site, turbines=self.entry.turbines)

    def mqtt(self) -> MqttSettings:
        """The site's broker, for the operator."""
        ca = self.folder / CA
        return MqttSettings(
            host=self.entry.host,
            tools_port=self.entry.tools_port,
            ca=ca if ca.is_file() else None,
            credentials_dir=self.folder,
        )


def write_site(directory: Path, entry: SiteEntry, password: str, ca: bytes | None) -> None:
    """Make a site known, or change what is known of it. Raises ``OSError``."""
    folder = directory / entry.site
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _put(folder / f"{OPERATOR}.password", f"{password}\n".encode())
    if ca is None:
        (folder / CA).unlink(missing_ok=True)
    else:
        _put(folder / CA, ca)
    # Last: whoever finds it finds the others.
    _put(folder / FILE, msgspec.json.encode(entry))


def remove_site(directory: Path, site: str) -> None:
    """Forget a site; nothing happens if it is not known."""
    shutil.rmtree(directory / site, ignore_errors=True)


def read_sites(directory: Path) -> dict[str, KnownSite]:
    """Every site by name, in that order. Raises ``GustbedError`` naming a file that is wrong."""
    found = {}
    for path in sorted(directory.glob(f"*/{FILE}")):
        try:
            entry = msgspec.json.decode(path.read_bytes(), type=SiteEntry)
        except FileNotFoundError:
            continue  # it was removed meanwhile
        except (OSError, msgspec.MsgspecError) as error:
            raise GustbedError(f"{path}: {error}", "run `gustbed up`, which writes it") from error
        found[entry.site] = KnownSite(entry, path.parent)
    return found


def _put(path: Path, content: bytes) -> None:
    """Write a file whole and for its owner only."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    fresh.replace(path)
