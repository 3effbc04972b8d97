"""Whatever an archive says of itself, reading it takes little memory."""

import gzip
import io
import os
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gustbed_core.archive import ArchiveError, read_members
from gustbed_core.package import PackageError, read_package, sha256, write_package
from tests.support.packages import tiny_package

MIB = 1024 * 1024
LITTLE = 48 * MIB
"""More than any refusal takes, far less than what these archives ask for."""


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.USTAR_FORMAT if 0 <= size < 8**11 else tarfile.GNU_FORMAT)


def zeros(count: int) -> bytes:
    """So many bytes, gzipped to a thousandth: a stream may have several parts."""
    return gzip.compress(bytes(16 * MIB), mtime=0) * (count // (16 * MIB))


def gigabyte_of(kind: bytes, name: str = "manifest.json") -> bytes:
    """An archive of 1 MB whose first header announces 1 GiB, which follows."""
    return gzip.compress(header(name, 1024 * MIB, kind)) + zeros(1024 * MIB)


def sparse_map() -> bytes:
    """A PAX record that says that a small file is a huge one with holes."""
    record = b"GNU.sparse.realsize=1099511627776\n"
    line = b"%d %s" % (len(record) + 3, record)
    block = line.ljust(tarfile.BLOCKSIZE, b"\0")
    return gzip.compress(
        header("x", len(line), tarfile.XHDTYPE) + block + header("model.onnx", 0) + bytes(1024)
    )


def golden_bomb(golden: bytes) -> bytes:
    """A package that is right but for its golden file."""
    good = gzip.decompress(write_package(tiny_package(), Path(os.devnull)))
    members = read_members(gzip.compress(good))
    old = members["golden.npz"]
    members["manifest.json"] = members["manifest.json"].replace(
        sha256(old).encode(), sha256(golden).encode()
    )
    members["golden.npz"] = golden
    raw = b"".join(
        header(name, len(data)) + data + bytes(-len(data) % tarfile.BLOCKSIZE)
        for name, data in members.items()
    )
    return gzip.compress(raw + bytes(1024))


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def array_of(shape: tuple[int, ...]) -> bytes:
    """An array's header without its content."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


BOMBS: dict[str, Callable[[], bytes]] = {
    "file": lambda: gigabyte_of(tarfile.REGTYPE),
    "stranger": lambda: gigabyte_of(tarfile.REGTYPE, "other"),
    "PAX records": lambda: gigabyte_of(tarfile.XHDTYPE),
    "global PAX records": lambda: gigabyte_of(tarfile.XGLTYPE),
    "Solaris PAX records": lambda: gigabyte_of(tarfile.SOLARIS_XHDTYPE),
    "GNU long name": lambda: gigabyte_of(tarfile.GNUTYPE_LONGNAME),
    "GNU long link": lambda: gigabyte_of(tarfile.GNUTYPE_LONGLINK),
    "GNU sparse": lambda: gigabyte_of(tarfile.GNUTYPE_SPARSE),
    "sparse by PAX": sparse_map,
    "negative size": lambda: gzip.compress(header("model.onnx", -1) + bytes(MIB)),
    "more than a number of octal digits": lambda: gzip.compress(header("model.onnx", 10**12)),
    "file of a sensible size": lambda: (
        gzip.compress(header("model.onnx", 112 * MIB)) + zeros(112 * MIB)
    ),
    "zeros at the end": lambda: write_package(tiny_package(), Path(os.devnull)) + zeros(512 * MIB),
    "nothing but zeros": lambda: zeros(1024 * MIB),
    "no header at all": lambda: gzip.compress(b"\xff" * 4096),
    "packed array": lambda: golden_bomb(
        zipped({"windows.npy": bytes(64 * MIB), "ratios.npy": b""}, zipfile.ZIP_DEFLATED)
    ),
    "array of a petabyte": lambda: golden_bomb(
        zipped({"windows.npy": array_of((10**6, 6, 10**6)), "ratios.npy": array_of((1, 6))})
    ),
    "many arrays": lambda: golden_bomb(zipped({f"{i}.npy": b"" for i in range(5000)})),
    "pickled array": lambda: golden_bomb(pickled()),
    "no zip file": lambda: golden_bomb(b"PK" * 100),
    "nothing": lambda: golden_bomb(b""),
}


def pickled() -> bytes:
    file = io.BytesIO()
    np.savez(file, windows=np.array([{}], dtype=object), ratios=np.zeros((1, 6)))
    return file.getvalue()


@pytest.mark.promise("S5")
@pytest.mark.parametrize("name", BOMBS)
def test_an_archive_that_asks_for_memory_gets_none(name: str) -> None:
    data = BOMBS[name]()
    assert len(data) < 2 * MIB
    tracemalloc.start()
    try:
        with pytest.raises(PackageError) as refused:
            read_package(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused.value.reason in ("bad_archive", "bad_golden")
    assert peak < LITTLE


@pytest.mark.promise("S5")
def test_a_manifest_alone_is_read_within_the_same_bounds() -> None:
    with pytest.raises(ArchiveError, match="unexpected member 'other'"):
        read_members(gigabyte_of(tarfile.REGTYPE, "other"), ["manifest.json"])


def test_a_deep_manifest_is_no_manifest() -> None:
    deep = b"[" * 500_000
    data = gzip.compress(header("manifest.json", len(deep)) + deep.ljust(500_224, b" "))
    with pytest.raises(PackageError):
        read_package(data)
