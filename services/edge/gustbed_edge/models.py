"""The model store: which package serves, which served before, and the one from the factory.

``<data>/models/<name>-<version>/`` is a slot with ``package.tar.gz`` and ``release.json``;
``committed.json`` names the slot that serves and the one before it.
"""

import logging
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gustbed_edge.detector import Detector, check_golden
from gustbed_edge.files import sync_folder, write_atomic
from gustbed_edge.trust import Keys, load_key, verify
from gustbed_protocol.errors import GustbedError
from gustbed_protocol.jobs import (
    PACKAGE_FILE,
    RELEASE_FILE,
    Release,
    Signature,
    release_from_json,
    release_to_json,
)
from gustbed_protocol.package import (
    Package,
    PackageError,
    check_name,
    read_package,
    sha256,
    version_key,
)

log = logging.getLogger(__name__)

POINTER = "committed.json"
FACTORY_KEY = "signing-key.pem"


@dataclass(frozen=True, slots=True)
class Slot:
    """A stored release. ``job`` is the update that installed it."""

    name: str
    version: str
    sha256: str
    job: str

    @property
    def folder(self) -> str:
        """Name of the slot's folder."""
        return f"{check_name(self.name)}-{'.'.join(map(str, version_key(self.version)))}"


@dataclass(frozen=True, slots=True)
class Committed:
    """What ``committed.json`` says."""

    current: Slot | None = None
    previous: Slot | None = None


@dataclass(frozen=True)
class Loaded:
    """A model that has passed every check and can serve. ``slot`` is None for the factory's."""

    release: Release
    detector: Detector
    slot: Slot | None


class ModelStore:
    """Slots on disk and the pointer to the one that serves."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # What a killed update left half written is nobody's.
            for leftover in folder.glob(".*"):
                _remove(leftover)
        except OSError as error:
            raise GustbedError(f"{error.filename}: {error.strerror}", "make it writable") from error

    def committed(self) -> Committed:
        """Read the pointer. An unreadable one counts as empty, and is logged."""
        path = self._folder / POINTER
        try:
            return msgspec.json.decode(path.read_bytes(), type=Committed)
        except FileNotFoundError:
            return Committed()
        except (OSError, msgspec.MsgspecError) as error:
            log.error("%s: %s; starting from the factory model", path, error)  # noqa: TRY400
            return Committed()

    def stage(self, release: Release, signature: Signature, archive: bytes, job: str) -> Slot:
        """Write a release into its slot, durably. The serving slot is not touched."""
        slot = Slot(release.name, release.version, release.sha256, job)
        temporary = self._folder / f".{slot.folder}"
        _remove(temporary)
        temporary.mkdir()
        write_atomic(temporary / PACKAGE_FILE, archive)
        write_atomic(temporary / RELEASE_FILE, release_to_json(release, signature))
        target = self._folder / slot.folder
        _remove(target)
        temporary.rename(target)
        sync_folder(self._folder)
        return slot

    def commit(self, slot: Slot) -> None:
        """Make a staged slot the one that serves after a restart; keep the one before it."""
        before = self.committed()
        previous = before.previous if _same(before.current, slot) else before.current
        self._point(Committed(slot, previous))
        kept = {entry.folder for entry in (slot, previous) if entry is not None}
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder.name not in kept:
                _remove(folder)

    def read(self, slot: Slot) -> tuple[Release, Signature, bytes]:
        """A slot's content. Raises ``GustbedError`` naming the file that is missing."""
        return _read_pair(self._folder / slot.folder)

    def _point(self, committed: Committed) -> None:
        write_atomic(self._folder / POINTER, msgspec.json.encode(committed))


def check_package(release: Release, signature: Signature, archive: bytes, keys: Keys) -> Package:
    """Signature first, then digest, then content. Raises ``PackageError``."""
    verify(release, signature, keys)
    if len(archive) != release.size:
        raise PackageError("wrong_size", f"{len(archive)} bytes, the release says {release.size}")
    if sha256(archive) != release.sha256:
        raise PackageError("wrong_digest", "the package is not the one that was signed")
    package = read_package(archive)
    if (package.manifest.name, package.manifest.version) != (release.name, release.version):
        raise PackageError(
            "wrong_manifest",
            f"the package says {package.manifest.name} {package.manifest.version}, "
            f"the release {release.name} {release.version}",
        )
    return package


def load_serving(store: ModelStore, keys: Keys, factory: Path) -> Loaded | None:
    """The committed model, else the one before it, else the factory's, else None."""
    for origin, slot in _candidates(store):
        try:
            release, signature, archive = store.read(slot)
            return _load(release, signature, archive, keys, slot)
        except GustbedError as error:
            log.error("%s model %s does not load: %s", origin, slot.version, error)  # noqa: TRY400
    try:
        return load_factory(factory)
    except GustbedError as error:
        log.error("factory model: %s; verdicts are 'unknown' until one comes", error)  # noqa: TRY400
        return None


def load_factory(folder: Path) -> Loaded:
    """The model that the edge ships with. Raises ``GustbedError``."""
    # One model a folder; a package that lies there itself is the only one.
    folder = next(iter(sorted(folder.glob("*/"))), folder)
    release, signature, archive = _read_pair(folder)
    key = load_key(folder / FACTORY_KEY)
    return _load(release, signature, archive, {signature.key_id: key} if key else {}, None)


def _load(
    release: Release, signature: Signature, archive: bytes, keys: Keys, slot: Slot | None
) -> Loaded:
    package = check_package(release, signature, archive, keys)
    detector = Detector(package)
    # At a start the machine is busy: being right is asked for, being fast is not.
    check_golden(package, detector, turbines=1, max_scoring_time=math.inf)
    return Loaded(release, detector, slot)


def _candidates(store: ModelStore) -> Iterator[tuple[str, Slot]]:
    committed = store.committed()
    if committed.current is not None:
        yield "committed", committed.current
    if committed.previous is not None:
        yield "previous", committed.previous


def _read_pair(folder: Path) -> tuple[Release, Signature, bytes]:
    try:
        release, signature = release_from_json((folder / RELEASE_FILE).read_bytes())
        return release, signature, (folder / PACKAGE_FILE).read_bytes()
    except OSError as error:
        raise GustbedError(f"{error.filename}: {error.strerror}") from error


def _same(one: Slot | None, other: Slot) -> bool:
    return one is not None and one.folder == other.folder


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
