"""What edges captured, from the lake to a folder."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from gustbed_cloud.aws import readable_errors
from gustbed_cloud.client import Cloud
from gustbed_cloud.s3_files import fetch_object, is_copy
from gustbed_core.errors import GustbedError

_LATEST_DELIVERY = 24 * 3600.0
"""Seconds for which Firehose tries to deliver: an object may be that much younger than its key."""


@readable_errors()
def fetch_captures(cloud: Cloud, folder: Path, since: float | None = None) -> int:
    """Download what the folder lacks of the lake; return how many files it now holds of it.

    ``since`` (Unix seconds) leaves out what arrived before. A file ``yyyy/MM/dd/<name>.jsonl.gz``
    below ``folder`` has a line of JSON per ``gustbed_core.capture.CaptureBatch``; deliveries
    repeat, so lines may too. Raises ``GustbedError``.
    """
    s3, bucket = cloud.client("s3"), cloud.outputs.lake_bucket
    prefix = cloud.outputs.lake_prefix
    count = 0
    for row in _objects(s3, bucket, prefix, since):
        path = folder / _place(bucket, row["Key"], prefix)
        if not is_copy(path, row["Size"], row["ETag"]):
            fetch_object(s3, bucket, row["Key"], path)
        count += 1
    return count


def _objects(s3: Any, bucket: str, prefix: str, since: float | None) -> Iterator[dict[str, Any]]:
    begin = {}
    if since is not None:
        day = datetime.fromtimestamp(max(since - _LATEST_DELIVERY, 0.0), UTC)
        # Keys are in order of their days; those of this very day come after it.
        begin = {"StartAfter": f"{prefix}{day:%Y/%m/%d}"}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **begin):
        for row in page.get("Contents", []):
            if since is None or row["LastModified"].timestamp() >= since:
                yield row


def _place(bucket: str, key: str, prefix: str) -> PurePosixPath:
    """Where an object lies below the folder. Raises ``GustbedError`` for one that leaves it."""
    place = PurePosixPath(key.removeprefix(prefix))
    if place.is_absolute() or ".." in place.parts or not place.name or place.name.startswith("."):
        raise GustbedError(f"s3://{bucket}/{key}: no object of the lake", "delete it")
    return place
