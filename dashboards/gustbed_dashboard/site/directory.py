"""The sites of a fleet as its directory tells them, each with what must be as it was to keep on."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from gustbed_core.errors import GustbedError
from gustbed_core.naming import natural
from gustbed_core.site_directory import CA, FILE, OPERATOR, REMEDY, KnownSite, read_site
from gustbed_dashboard.settings import EdgeSettings

_READ = (FILE, f"{OPERATOR}.password", CA, f"{OPERATOR}.pem", f"{OPERATOR}.key")

Stamp = tuple[tuple[str, int, int, int], ...]
"""Path, inode, size and time of change of every file that is read of a directory."""


@dataclass(frozen=True, slots=True)
class FoundSite:
    """A site, and the files that its client was made by."""

    known: KnownSite
    files: tuple[bytes | None, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listing:
    """A directory's sites by name in natural order, and one line for each folder that is none."""

    sites: dict[str, FoundSite] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


def stamp(directory: Path) -> Stamp:
    """Changes when a file of the directory does; no file is opened. A missing directory is empty.

    Raises ``GustbedError`` if it cannot be looked into.
    """
    seen = []
    for folder in _folders(directory):
        for name in _READ:
            try:
                status = (folder / name).stat()
            except OSError:
                continue
            seen.append((f"{folder}/{name}", status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(seen)


def read(directory: Path) -> Listing:
    """Read every site. Raises ``GustbedError`` if the directory cannot be looked into."""
    listing = Listing()
    for folder in _folders(directory):
        try:
            listing.sites[folder.name] = _read_site(folder)
        except FileNotFoundError:
            continue  # it is being written, or was removed meanwhile
        except GustbedError as error:
            listing.broken[folder.name] = str(error)
    return listing


def _folders(directory: Path) -> list[Path]:
    try:
        with os.scandir(directory) as entries:
            names = [each.name for each in entries if each.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise GustbedError(
            f"GUSTBED_DASHBOARD_SITES_DIR={directory}: {error.strerror}",
            "name a folder that the dashboard can read",
        ) from error
    return [directory / name for name in sorted(names, key=natural)]


def _read_site(folder: Path) -> FoundSite:
    known = read_site(folder)
    try:
        EdgeSettings(url=known.entry.edge_url)
    except ValidationError as error:
        what = error.errors()[0]["msg"]
        raise GustbedError(f"{folder / FILE}: edge_url: {what}", REMEDY) from error
    return FoundSite(known, tuple(_content(folder / name) for name in _READ))


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", REMEDY) from error
