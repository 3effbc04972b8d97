"""Steps whose outputs are kept: what was finished with equal inputs is not done again.

A step's output is a folder, ``<step>-<key>``; the key is a hash of the step's inputs. The folder
gets its name once the step is done, so that a killed step leaves nothing that looks finished.
"""

import hashlib
import inspect
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gustbed_core import decisions, features, type_file
from gustbed_core.errors import GustbedError
from gustbed_training.progress import Log

DONE = "step.json"
"""In every finished step's folder: what it was made from, and how long that took."""
_ROOT = Path(__file__).parents[1]
_STALE_S = 24 * 3600.0
"""An unfinished folder this old was left by a killed process."""
_IN_USE_S = 6 * 3600.0


@dataclass(frozen=True)
class Store:
    """Where steps' outputs lie. ``force`` makes each step once more, once a process."""

    folder: Path
    force: bool = False

    def step(
        self, name: str, inputs: Mapping[str, Any], make: Callable[[Path], None], log: Log
    ) -> Path:
        """The folder of a step's output, made by ``make`` unless it is there.

        Raises ``GustbedError`` if the store cannot be written.
        """
        key = key_of(inputs)
        final = self.folder / f"{name}-{key}"
        if (final / DONE).is_file() and not self.force:
            log(f"cached ({final.name})")
            _touch(final)
            return final
        begun = time.monotonic()
        with self._unfinished(final) as part:
            make(part)
            seconds = round(time.monotonic() - begun, 2)
            record = {"step": name, "key": key, "inputs": inputs, "seconds": seconds}
            (part / DONE).write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
            _publish(part, final, replace=self.force)
        log(f"done in {seconds:.1f} s ({final.name})")
        return final

    @contextmanager
    def _unfinished(self, final: Path) -> Iterator[Path]:
        part = final.with_name(f".{final.name}.{os.getpid()}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _sweep(self.folder)
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            yield part
        except OSError as error:
            raise GustbedError(
                f"{error.filename or self.folder}: {error.strerror or error}",
                "make room, or name a folder of yours with --work",
            ) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def prune(self, step: str, keep: int) -> None:
        """Remove all but the ``keep`` outputs of a step that were used last.

        What was used within some hours stays: another process may still be at it.
        """
        found = sorted(
            self.folder.glob(f"{step}-*"), key=lambda path: path.stat().st_mtime, reverse=True
        )
        oldest = time.time() - _IN_USE_S
        for folder in found[keep:]:
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)


def key_of(inputs: Mapping[str, Any]) -> str:
    """Hash of a step's inputs, plain JSON values."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


@cache
def code_digest(*places: str) -> str:
    """Hash of some of our subpackages' and modules' sources: a change of code changes results.

    Reckoned once, for what is on disk may change while the code that was loaded runs.
    """
    seen = hashlib.sha256()
    for place in (_ROOT / name for name in places):
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.suffix in (".py", ".yaml"):
                seen.update(str(path.relative_to(_ROOT)).encode())
                seen.update(path.read_bytes())
    for module in (decisions, features, type_file):
        seen.update(inspect.getsource(module).encode())
    return seen.hexdigest()[:16]


def files_digest(folder: Path) -> str:
    """Hash of the content of all files below a folder."""
    seen = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        seen.update(str(path.relative_to(folder)).encode() + b"\0")
        with path.open("rb") as file:
            seen.update(hashlib.file_digest(file, "sha256").digest())
    return seen.hexdigest()[:16]


def versions(libraries: Sequence[str]) -> dict[str, str]:
    """Of libraries that results depend on."""
    return {name: version(name) for name in libraries}


def write_atomically(path: Path, data: bytes) -> None:
    """Write a whole file or nothing. Raises ``GustbedError`` naming it."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise GustbedError(f"{path}: {error.strerror}", "name a file to write") from error


def _publish(part: Path, final: Path, *, replace: bool) -> None:
    if (final / DONE).is_file() and not replace:
        # Another process was quicker; equal inputs give equal outputs.
        return
    shutil.rmtree(final, ignore_errors=True)
    try:
        part.rename(final)
    except OSError:
        if not (final / DONE).is_file():
            raise


def _touch(folder: Path) -> None:
    os.utime(folder)


def _sweep(folder: Path) -> None:
    oldest = time.time() - _STALE_S
    for path in folder.glob(".*.part"):
        if path.stat().st_mtime < oldest:
            shutil.rmtree(path, ignore_errors=True)
