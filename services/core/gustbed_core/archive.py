"""The members of a package's archive, read within bounds: nobody has vouched for it yet.

A package is a gzipped USTAR archive of plain files, each named once. Headers are read one by one
here, because tarfile follows some (long names, PAX records, sparse maps) and takes whatever memory
they ask for. Standard library alone: Lambda functions read packages, too.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterable, Iterator

from gustbed_core.errors import GustbedError

MIB = 1024 * 1024
MANIFEST, MODEL, GOLDEN, CARD = "manifest.json", "model.onnx", "golden.npz", "card.md"
GATE, POPULATION = "gate.json", "population.npz"
MEMBER_BYTES = {
    MANIFEST: 2 * MIB, MODEL: 128 * MIB, GOLDEN: 128 * MIB, CARD: MIB, GATE: MIB // 4,
    POPULATION: 32 * MIB,
}  # fmt: skip
"""A package's members, and the most bytes that each may have."""
NEEDED = (MANIFEST, MODEL, GOLDEN, CARD)
MAX_UNPACKED_BYTES = 256 * MIB
FLOOR_BYTES, RATIO = 16 * MIB, 16
"""An archive may unpack to ``FLOOR_BYTES`` and ``RATIO`` times its own size: weights and
measurements hardly shrink when they are packed, so that what would become more is a bomb."""
MAX_TRAILER_BYTES = 64 * 1024
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)


class ArchiveError(GustbedError):
    """An archive that is none, or not one of ours."""


def read_members(data: bytes, needed: Iterable[str] = NEEDED) -> dict[str, bytes]:
    """A package's files by name.

    Raises ``ArchiveError`` for anything else in the archive, and for one that is ``needed`` and
    missing.
    """
    members: dict[str, bytes] = {}
    try:
        unpacked = _Unpacked(data)
        for info in _headers(unpacked):
            if info.type not in _PLAIN or info.name not in MEMBER_BYTES or info.name in members:
                raise ArchiveError(f"unexpected member {info.name[:80]!r}")
            if not 0 <= info.size <= MEMBER_BYTES[info.name]:
                raise ArchiveError(f"{info.name}: not a file of sensible size")
            members[info.name] = unpacked.read(info.size)
            unpacked.read(-info.size % tarfile.BLOCKSIZE)
        unpacked.finish()
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
        raise ArchiveError(f"not a readable package: {error}") from error
    missing = set(needed) - members.keys()
    if missing:
        raise ArchiveError(f"missing {', '.join(sorted(missing))}")
    return members


class _Unpacked:
    """The unpacked stream, of which only so much may be asked for."""

    def __init__(self, data: bytes) -> None:
        self._file = gzip.GzipFile(fileobj=io.BytesIO(data))
        self._left = min(MAX_UNPACKED_BYTES, FLOOR_BYTES + RATIO * len(data))

    def read(self, size: int) -> bytes:
        """Exactly so many bytes."""
        # Before they are read: the reader reserves what it is asked for.
        self._left -= size
        if self._left < 0:
            raise ArchiveError("unpacks to more than is sensible: refused")
        chunk = self._file.read(size)
        if len(chunk) != size:
            raise EOFError("it is cut off")
        return chunk

    def finish(self) -> None:
        """To the end, where the checksum is; what follows the archive is a few blocks of zeros."""
        if len(self._file.read(MAX_TRAILER_BYTES + 1)) > MAX_TRAILER_BYTES:
            raise ArchiveError("more in it than its members")


def _headers(unpacked: _Unpacked) -> Iterator[tarfile.TarInfo]:
    while any(block := unpacked.read(tarfile.BLOCKSIZE)):
        yield tarfile.TarInfo.frombuf(block, "utf-8", "strict")
