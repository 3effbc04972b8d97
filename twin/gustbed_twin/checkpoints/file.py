"""A simulation's state as a file: a head in JSON and arrays, written whole or not at all."""

import contextlib
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError

SCHEMA = 2
"""1: releases before 0.2, whose farms had other fields."""
Snapshot = Callable[[Path], None]
"""Writes a state that no longer changes; may be called on any thread. Raises ``GustbedError``."""


def write_checkpoint(
    path: Path, head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write and replace at once: a process killed meanwhile leaves the one before.

    Raises ``GustbedError`` naming the file.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    text = json.dumps({"schema": SCHEMA, **head}).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            np.savez(file, head=np.frombuffer(text, np.uint8), **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise GustbedError(
            f"{path}: {error.strerror}", "name a file that can be written"
        ) from error


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Head and arrays. Raises ``GustbedError`` naming the file and what is wrong with it."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            data = {name: stored[name] for name in stored.files}
        head: dict[str, Any] = json.loads(bytes(data.pop("head")))
        if head["schema"] != SCHEMA:
            raise other_release(path)
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "name a checkpoint") from error
    except (
        ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile
    ) as error:  # fmt: skip
        raise not_a_checkpoint(path, error) from error
    return head, data


def other_release(path: Path) -> GustbedError:
    """What to raise for a file whose layout is not this release's."""
    return GustbedError(f"{path}: written by another release", "start without it")


def not_a_checkpoint(path: Path, error: Exception) -> GustbedError:
    """What to raise for a file that cannot be understood."""
    text = " ".join(str(error).split())
    return GustbedError(f"{path}: not a checkpoint: {text[:99]}", "name another")
