"""The model store: what serves each turbine type, what served before, what runs in shadow, and what
the factory gave.

``<data>/models/<name>-<version>/`` is a slot with ``package.tar.gz`` and ``release.json``, that of
a shadow model ``<name>-<version>-shadow/``; ``committed.json`` names them by turbine type.
"""

import logging
import math
import shutil
from collections.abc import Iterable, Mapping
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
    Package,
    PackageError,
    check_name,
    read_package,
    sha256,
    version_key,
)
from gustbed_core.telemetry import MINI
from gustbed_edge.files import sync_folder, write_atomic
from gustbed_edge.models.signatures import Keys, load_key, verify
from gustbed_edge.scoring.detector import Detector, check_golden

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
    """What ``committed.json`` says. Before there were types, it was the miniature's alone."""

    types: dict[str, Committed] = field(default_factory=dict)
    current: Slot | None = None
    previous: Slot | None = None


@dataclass(frozen=True)
class Loaded:
    """A model that has passed every check. ``slot`` is None for the factory's."""

    release: Release
    detector: Detector
    slot: Slot | None


class ModelStore:
    """Slots on disk and the pointers to those that serve and challenge."""

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
        types = pointer.types or {MINI: Committed(pointer.current, pointer.previous)}
        return {turbine_type: _sound(committed) for turbine_type, committed in types.items()}

    def stage(self, release: Release, signature: Signature, archive: bytes, job: str) -> Slot:
        """Write a release into its slot, durably. The serving slots are not touched."""
        slot = Slot(release.name, release.version, release.sha256, job, release.role)
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

    def read(self, slot: Slot) -> tuple[Release, Signature, bytes]:
        """A slot's content. Raises ``GustbedError`` naming the file that is missing."""
        return _read_pair(self._folder / slot.folder)

    def _point(self, turbine_type: str, committed: Committed) -> Committed:
        types = self.committed() | {turbine_type: committed}
        write_atomic(self._folder / POINTER, msgspec.json.encode(_Pointer(types)))
        kept = {slot.folder for each in types.values() for slot in each.slots}
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder.name not in kept:
                _remove(folder)
        return committed


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


def load_serving(store: ModelStore, keys: Keys, factory: Path) -> dict[str, Loaded]:
    """By turbine type: the committed model, else the one before it, else the factory's."""
    found = load_factory(factory)
    for turbine_type, committed in store.committed().items():
        loaded = _first(
            store,
            keys,
            turbine_type,
            [("committed", committed.current), ("previous", committed.previous)],
        )
        if loaded is not None:
            found[turbine_type] = loaded
    if not found:
        log.error("no model loads: verdicts are 'unknown' until one comes")
    return found


def load_shadow_models(
    store: ModelStore, keys: Keys, serving: Mapping[str, Loaded]
) -> dict[str, Loaded]:
    """By turbine type: the shadow model of the model that serves."""
    found = {}
    for turbine_type, committed in store.committed().items():
        loaded = _first(store, keys, turbine_type, [("shadow", committed.shadow)])
        if loaded is None or turbine_type not in serving:
            continue
        rates = (one.detector.manifest.sample_rate_hz for one in (loaded, serving[turbine_type]))
        if len(set(rates)) == 1:
            found[turbine_type] = loaded
        else:
            log.error(
                "shadow model of type %s: not at the rate of the model that serves", turbine_type
            )
    return found


def load_factory(folder: Path) -> dict[str, Loaded]:
    """The models that the edge ships with, by turbine type; what does not load is logged."""
    found: dict[str, Loaded] = {}
    places = sorted(path.parent for path in folder.glob(f"*/{RELEASE_FILE}"))
    if not places:
        log.error("%s: no factory models", folder)
    for place in places:
        try:
            release, signature, archive = _read_pair(place)
            key = load_key(place / FACTORY_KEY)
            loaded = _load(
                release, signature, archive, {signature.key_id: key} if key else {}, None
            )
        except GustbedError as error:
            log.error("factory model %s: %s", place.name, error)  # noqa: TRY400
            continue
        found.setdefault(loaded.detector.manifest.turbine_type, loaded)
    return found


def _first(
    store: ModelStore, keys: Keys, turbine_type: str, candidates: Iterable[tuple[str, Slot | None]]
) -> Loaded | None:
    for origin, slot in candidates:
        if slot is None:
            continue
        try:
            release, signature, archive = store.read(slot)
            return _load(release, signature, archive, keys, slot, turbine_type)
        except GustbedError as error:
            log.error(  # noqa: TRY400
                "%s model %s %s does not load: %s", origin, slot.name, slot.version, error
            )
    return None


def _load(
    release: Release,
    signature: Signature,
    archive: bytes,
    keys: Keys,
    slot: Slot | None,
    turbine_type: str | None = None,
) -> Loaded:
    package = check_package(release, signature, archive, keys)
    if release.role != (slot.role if slot else "serve"):
        raise PackageError("wrong_role", f"released to {release.role}, which this slot is not for")
    if turbine_type not in (None, package.manifest.turbine_type):
        raise PackageError(
            "wrong_model", f"it is for turbines of type {package.manifest.turbine_type}"
        )
    detector = Detector(package)
    # At a start the machine is busy: being right is asked for, being fast is not.
    check_golden(package, detector, turbines=1, max_scoring_time=math.inf)
    return Loaded(release, detector, slot)


def _read_pair(folder: Path) -> tuple[Release, Signature, bytes]:
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
