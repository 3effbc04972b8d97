"""Read a package's manifest out of an archive that nobody has vouched for."""

import json
from typing import Any

from gustbed_core.archive import MANIFEST, read_members
from gustbed_core.errors import GustbedError
from gustbed_core.topics import level


def name_and_version(data: bytes) -> tuple[str, str]:
    """What a package says it is. Raises ``GustbedError``."""
    manifest = read_manifest(data)
    try:
        return level(str(manifest["name"])), level_version(str(manifest["version"]))
    except (KeyError, ValueError) as error:
        raise GustbedError(MANIFEST, f"no usable name and version: {error}") from error


def level_version(version: str) -> str:
    """Return ``MAJOR.MINOR.PATCH``, else raise ``ValueError``."""
    parts = version.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"version {version!r} is not MAJOR.MINOR.PATCH")
    return version


def read_manifest(data: bytes) -> dict[str, Any]:
    """Read ``manifest.json`` out of the archive. Raises ``GustbedError``."""
    members = read_members(data, [MANIFEST])
    try:
        manifest = json.loads(members[MANIFEST])
    except (ValueError, RecursionError) as error:
        raise GustbedError(MANIFEST, f"not JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise GustbedError(MANIFEST, "not a JSON object")
    return manifest
