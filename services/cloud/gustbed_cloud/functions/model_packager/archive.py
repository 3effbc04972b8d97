"""Read a package's manifest out of an archive that nobody has vouched for.

Only the manifest is read, in memory, with a bound on every size.
"""

import gzip
import io
import json
import tarfile
import zlib
from typing import Any

from gustbed_core.errors import GustbedError
from gustbed_core.topics import level

MAX_UNPACKED_BYTES = 256 * 1024 * 1024
MAX_MANIFEST_BYTES = 1024 * 1024
MANIFEST = "manifest.json"


class _Bounded:
    """A stream that refuses to give more than so many bytes."""

    def __init__(self, inner: gzip.GzipFile, limit: int) -> None:
        self._inner = inner
        self._left = limit

    def read(self, size: int) -> bytes:
        chunk = self._inner.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise GustbedError("package", "unpacks to more than is sensible: refused")
        return chunk


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
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked:
            stream: Any = _Bounded(unpacked, MAX_UNPACKED_BYTES)
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    if member.name == MANIFEST and member.isreg():
                        return _manifest(archive, member)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise GustbedError("package", f"not a readable archive: {error}") from error
    raise GustbedError("package", f"no {MANIFEST} in it")


def _manifest(archive: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
    if member.size > MAX_MANIFEST_BYTES:
        raise GustbedError(MANIFEST, f"{member.size} bytes, at most {MAX_MANIFEST_BYTES}")
    file = archive.extractfile(member)
    try:
        manifest = json.loads(file.read() if file else b"")
    except ValueError as error:
        raise GustbedError(MANIFEST, f"not JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise GustbedError(MANIFEST, "not a JSON object")
    return manifest
