"""Fetching from buckets: what is new, whole or not at all."""

import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gustbed_cloud import operations
from gustbed_cloud.s3_files import fetch_object, is_copy, read_object
from gustbed_core.errors import GustbedError

DAY = datetime(2026, 1, 2, 12, tzinfo=UTC)
OUTPUTS: Any = SimpleNamespace(lake_bucket="lake", lake_prefix="captures/")


class FakeBucket:
    """A bucket of a lake that counts downloads."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects
        self.asked: list[dict[str, Any]] = []
        self.fetched: list[str] = []

    def get_paginator(self, name: str) -> "FakeBucket":
        assert name == "list_objects_v2"
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        self.asked.append(request)
        rows = [
            {
                "Key": key,
                "Size": len(data),
                "ETag": f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"',
                "LastModified": DAY,
            }
            for key, data in sorted(self.objects.items())
            if request.get("StartAfter", "") < key
        ]
        # One object to a page, as a large lake has many pages; a page may be empty.
        return [{"Contents": [row]} for row in rows] + [{}]

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        self.fetched.append(Key)
        data = self.objects[Key]
        return {"Body": io.BytesIO(data), "ContentLength": len(data)}


def cloud(bucket: FakeBucket) -> operations.Cloud:
    session: Any = SimpleNamespace(client=lambda service: {"s3": bucket}[service])
    return operations.Cloud(session, OUTPUTS)


def lake() -> FakeBucket:
    names = {"captures/2026/01/01/a": b"one", "captures/2026/01/02/b": b"two"}
    return FakeBucket(**names)


def test_all_is_fetched_once_and_only_what_is_new_later(tmp_path: Path) -> None:
    bucket = lake()
    assert operations.fetch_captures(cloud(bucket), tmp_path) == 2
    assert (tmp_path / "2026/01/01/a").read_bytes() == b"one"
    bucket.objects["captures/2026/01/02/c"] = b"three"
    bucket.fetched.clear()
    assert operations.fetch_captures(cloud(bucket), tmp_path) == 3
    assert bucket.fetched == ["captures/2026/01/02/c"]


@pytest.mark.parametrize("damaged", [b"on", b"two", b""])
def test_file_that_differs_is_fetched_again(tmp_path: Path, damaged: bytes) -> None:
    bucket = lake()
    operations.fetch_captures(cloud(bucket), tmp_path)
    (tmp_path / "2026/01/01/a").write_bytes(damaged)
    bucket.fetched.clear()
    assert operations.fetch_captures(cloud(bucket), tmp_path) == 2
    assert bucket.fetched == ["captures/2026/01/01/a"]
    assert (tmp_path / "2026/01/01/a").read_bytes() == b"one"


def test_earlier_days_are_not_even_listed(tmp_path: Path) -> None:
    bucket = lake()
    since = DAY.timestamp() + 86_400
    assert operations.fetch_captures(cloud(bucket), tmp_path, since) == 0
    assert bucket.asked[-1]["StartAfter"] == "captures/2026/01/02"
    # An object that Firehose delivered late lies under an earlier day.
    assert operations.fetch_captures(cloud(bucket), tmp_path, DAY.timestamp()) == 2
    assert bucket.asked[-1]["StartAfter"] == "captures/2026/01/01"


@pytest.mark.parametrize("key", ["captures/../../evil", "captures//etc/x", "captures/2026/.part"])
def test_object_that_would_leave_the_folder_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(GustbedError, match="no object of the lake"):
        operations.fetch_captures(cloud(FakeBucket(**{key: b"x"})), tmp_path / "in")
    assert list(tmp_path.rglob("*")) == []


class Breaking(io.BytesIO):
    """A download that breaks off."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise ConnectionResetError("cut")
        return super().read(2)


def test_download_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    s3 = SimpleNamespace(get_object=lambda **_: {"Body": Breaking(b"fresh")})
    with pytest.raises(GustbedError, match="file"):
        fetch_object(s3, "bucket", "key", path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_copy_of_an_object_in_parts_is_known_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"data")
    assert is_copy(path, 4, '"0123456789abcdef0123456789abcdef-2"')
    assert not is_copy(path, 4, '"0123456789abcdef0123456789abcdef"')
    assert not is_copy(path, 5, '"0123456789abcdef0123456789abcdef-2"')
    assert not is_copy(tmp_path / "none", 4, '"x"')


def test_object_that_is_too_large_is_not_read() -> None:
    bucket = FakeBucket(big=b"x" * 11)
    with pytest.raises(GustbedError, match="11 bytes"):
        read_object(bucket, "bucket", "big", 10)
    assert read_object(bucket, "bucket", "big", 11) == b"x" * 11
