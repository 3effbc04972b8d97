"""Records and running periods on disk: ``<turbine>.record`` and ``<turbine>.period``.

Each file begins with the SHA-256 of what follows, so that one that is spoilt is found.
"""

import contextlib
import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from gustbed_core.commissioning.period import Period, period_from_bytes, period_to_bytes
from gustbed_core.errors import GustbedError
from gustbed_edge.commissioning.records import Record
from gustbed_edge.disk import Disk
from gustbed_edge.files import write_atomic

log = logging.getLogger(__name__)

_DIGEST = hashlib.sha256().digest_size
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Saved:
    run: str
    period: bytes


class Store:
    """Files of a folder. What cannot be written is told to ``disk``, and tried again later."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk

    def record(self, turbine: str) -> Record:
        """A turbine's record; a new one if it has none, or one that cannot be read."""
        path = self._folder / f"{turbine}.record"
        found = self._read(path, Record)
        if found is None:
            return Record(turbine)
        if found.turbine != turbine:
            log.error("%s is of %s; %s is not commissioned", path, found.turbine[:64], turbine)
            return Record(turbine)
        return found

    def save(self, record: Record) -> bool:
        """Whether a record is on disk now."""
        return self._write(self._folder / f"{record.turbine}.record", record)

    def period(self, turbine: str, run: str) -> Period | None:
        """What a run had seen when it was last written. Raises ``GustbedError`` if it is spoilt."""
        path = self._folder / f"{turbine}.period"
        if not path.exists():
            return None
        saved = self._read(path, _Saved)
        if saved is None:
            raise GustbedError(f"{path} is spoilt", "start a new period")
        return period_from_bytes(saved.period) if saved.run == run else None

    def save_period(self, turbine: str, run: str, period: Period) -> bool:
        """Whether what a run has seen is on disk now."""
        saved = _Saved(run, period_to_bytes(period))
        return self._write(self._folder / f"{turbine}.period", saved)

    def drop_period(self, turbine: str) -> None:
        """No run of a turbine goes on. A file that stays behind is known by its run."""
        path = self._folder / f"{turbine}.period"
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s stays behind: %s", path, error.strerror)

    def _read(self, path: Path, kind: type[T]) -> T | None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.error("%s: %s; its turbine is not commissioned", path, error.strerror)  # noqa: TRY400
            return None
        if hashlib.sha256(data[_DIGEST:]).digest() == data[:_DIGEST]:
            with contextlib.suppress(msgspec.MsgspecError):
                return msgspec.msgpack.decode(data[_DIGEST:], type=kind)
        log.error("%s is spoilt; its turbine is not commissioned", path)
        return None

    def _write(self, path: Path, value: object) -> bool:
        body = msgspec.msgpack.encode(value)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomic(path, hashlib.sha256(body).digest() + body)
        except OSError as error:
            self._disk.failed(path, error)
            return False
        self._disk.written(path)
        return True
