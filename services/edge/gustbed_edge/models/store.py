"""The model store: what serves each turbine type, what served before, what runs in shadow, and what
the factory gave.

``<data>/models/<name>-<version>/`` is a slot with ``package.tar.gz``, ``release.json`` and the key
that was trusted when it was installed, ``signing-key.pem``; that of a shadow model
``<name>-<version>-shadow/``; ``committed.json`` names them by turbine type.
"""

import logging
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gustbed_core.errors import GustbedError
from gustbed_core.jobs import (
    PACKAGE_FILE,
    RELEASE_FILE,
    Release,
    Role,
    Signature,
    release_from_json,
    release_to_json,
)
from gustbed_core.package import (
    PackageError,
    check_name,
    version_key,
)
from gustbed_edge.files import sync_folder, write_atomic

log = logging.getLogger(__name__)

POINTER = "committed.json"
SIGNING_KEY = "signing-key.pem"
FIRST_TYPE = "mini"
"""Whose models an old pointer names: there was no other type then."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A stored release. ``job`` is the update that installed it."""

    name: str
    version: str
    sha256: str
    job: str
    role: Role = "serve"

    @property
    def folder(self) -> str:
        """Name of the slot's folder."""
        name = f"{check_name(self.name)}-{'.'.join(map(str, version_key(self.version)))}"
        return name if self.role == "serve" else f"{name}-{self.role}"


class Committed(msgspec.Struct, frozen=True):
    """The slots of one turbine type: what serves, what served before, what runs in shadow."""

    current: Slot | None = None
    previous: Slot | None = None
    shadow: Slot | None = msgspec.field(default=None, name="challenger")
    """On disk by its first name, so that older stores are read, and older releases read ours."""

    @property
    def slots(self) -> list[Slot]:
        """Those that there are."""
        return [slot for slot in (self.current, self.previous, self.shadow) if slot]


@dataclass(frozen=True)
class _Pointer:
    """What ``committed.json`` says. In its first form, without
    types, it was of one type alone.
    """

    types: dict[str, Committed] = field(default_factory=dict)
    current: Slot | None = None
    previous: Slot | None = None


class ModelStore:
    """Slots on disk and the pointers to those that serve and run in shadow."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # What a killed update left half written is nobody's.
            for leftover in folder.glob(".*"):
                _remove(leftover)
        except OSError as error:
            raise GustbedError(f"{error.filename}: {error.strerror}", "make it writable") from error

    def committed(self) -> dict[str, Committed]:
        """Read the pointers, by turbine type. An unreadable file counts as empty, and is logged."""
        path = self._folder / POINTER
        try:
            pointer = msgspec.json.decode(path.read_bytes(), type=_Pointer)
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError) as error:
            log.error("%s: %s; starting from the factory models", path, error)  # noqa: TRY400
            return {}
        types = pointer.types or {FIRST_TYPE: Committed(pointer.current, pointer.previous)}
        return {turbine_type: _sound(committed) for turbine_type, committed in types.items()}

    def stage(
        self,
        release: Release,
        signature: Signature,
        archive: bytes,
        job: str,
        key: bytes | None = None,
    ) -> Slot:
        """Write a release into its slot, durably, with the public key (PEM) that it was verified
        by. The serving slots are not touched.
        """
        slot = Slot(release.name, release.version, release.sha256, job, release.role)
        temporary = self._folder / f".{slot.folder}"
        _remove(temporary)
        temporary.mkdir()
        write_atomic(temporary / PACKAGE_FILE, archive)
        write_atomic(temporary / RELEASE_FILE, release_to_json(release, signature))
        if key is not None:
            write_atomic(temporary / SIGNING_KEY, key)
        target = self._folder / slot.folder
        _remove(target)
        temporary.rename(target)
        sync_folder(self._folder)
        return slot

    def commit(self, turbine_type: str, slot: Slot) -> Committed:
        """Make a staged slot the one that serves a turbine type after a restart; keep the one
        before it. A shadow model that is not newer has lost its point and goes.
        """
        before = self.committed().get(turbine_type, Committed())
        previous = before.previous if _same(before.current, slot) else before.current
        shadow = before.shadow
        if shadow and version_key(shadow.version) <= version_key(slot.version):
            shadow = None
        return self._point(turbine_type, Committed(slot, previous, shadow))

    def set_shadow(self, turbine_type: str, slot: Slot) -> Committed:
        """Make a staged slot the one that runs in shadow after a restart."""
        return self._point(
            turbine_type,
            msgspec.structs.replace(self.committed().get(turbine_type, Committed()), shadow=slot),
        )

    def releases(self) -> Iterator[Release]:
        """What is committed, as it was signed; a slot that cannot be read is left out."""
        for committed in self.committed().values():
            for slot in committed.slots:
                with suppress(OSError, GustbedError):
                    path = self._folder / slot.folder / RELEASE_FILE
                    yield release_from_json(path.read_bytes())[0]

    def read(self, slot: Slot) -> tuple[Release, Signature, bytes]:
        """A slot's content. Raises ``GustbedError`` naming the file that is missing."""
        return read_slot(self._folder / slot.folder)

    def key_path(self, slot: Slot) -> Path:
        """Where the key lies that a slot's release was verified by."""
        return self._folder / slot.folder / SIGNING_KEY

    def _point(self, turbine_type: str, committed: Committed) -> Committed:
        types = self.committed() | {turbine_type: committed}
        write_atomic(self._folder / POINTER, msgspec.json.encode(_Pointer(types)))
        kept = {slot.folder for each in types.values() for slot in each.slots}
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder.name not in kept:
                _remove(folder)
        return committed


def read_slot(folder: Path) -> tuple[Release, Signature, bytes]:
    """A folder's release and package. Raises ``GustbedError`` naming what is missing."""
    try:
        release, signature = release_from_json((folder / RELEASE_FILE).read_bytes())
        return release, signature, (folder / PACKAGE_FILE).read_bytes()
    except OSError as error:
        raise GustbedError(f"{error.filename}: {error.strerror}") from error


def _sound(committed: Committed) -> Committed:
    """Without slots whose names lead elsewhere: the file may have been spoilt."""
    return Committed(
        *(_sound_slot(slot) for slot in (committed.current, committed.previous, committed.shadow))
    )


def _sound_slot(slot: Slot | None) -> Slot | None:
    try:
        return slot if slot is None or slot.folder else None
    except PackageError as error:
        log.error("%s: %s", POINTER, error)  # noqa: TRY400
        return None


def _same(one: Slot | None, other: Slot) -> bool:
    return one is not None and one.folder == other.folder


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
