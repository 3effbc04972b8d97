"""Objects in S3, brought to this machine whole or not at all."""

import hashlib
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from gustbed_core.errors import GustbedError

_CHUNK = 1024 * 1024


def read_object(s3: Any, bucket: str, key: str, limit: int) -> bytes:
    """Return an object of at most ``limit`` bytes. Raises ``GustbedError`` if it is larger."""
    answer = s3.get_object(Bucket=bucket, Key=key)
    with closing(answer["Body"]) as body:
        if answer["ContentLength"] > limit:
            raise GustbedError(f"s3://{bucket}/{key}: {answer['ContentLength']} bytes", "too large")
        data: bytes = body.read()
    return data


def fetch_object(s3: Any, bucket: str, key: str, path: Path) -> None:
    """Download to ``path``; what was there stays until all is. Raises ``GustbedError``."""
    partial = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            closing(s3.get_object(Bucket=bucket, Key=key)["Body"]) as body,
            partial.open("wb") as file,
        ):
            while chunk := body.read(_CHUNK):
                file.write(chunk)
        partial.replace(path)
    except OSError as error:
        raise GustbedError(
            f"{path}: {error.strerror or error}", "make its folder writable, with room in it"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def is_copy(path: Path, size: int, etag: str) -> bool:
    """Whether a file is an object's copy, by size and by ETag where that is an MD5 digest."""
    try:
        if path.stat().st_size != size:
            return False
        digest = etag.strip('"')
        if len(digest) != 32:
            return True
        with path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        return found.hexdigest() == digest
    except OSError:
        return False
