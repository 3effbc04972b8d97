"""Loading models at the start: from the store, else from the factory, each through every check."""

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gustbed_core.errors import GustbedError
from gustbed_core.jobs import RELEASE_FILE, Release, Signature
from gustbed_core.package import Package, PackageError, read_package, sha256
from gustbed_core.turbine_types import TurbineType
from gustbed_edge.files import write_atomic
from gustbed_edge.models.signatures import Keys, key_pem, load_key, verify
from gustbed_edge.models.store import SIGNING_KEY, ModelStore, Slot, read_slot
from gustbed_edge.scoring.detector import Detector, check_golden

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """A model that has passed every check. ``slot`` is None for the factory's."""

    release: Release
    detector: Detector
    slot: Slot | None


@dataclass(frozen=True)
class LoadedModels:
    """What was loaded at the start, by turbine type. ``missing`` are the types that a model is
    stored for, or shipped, of which none loads.
    """

    serving: Mapping[str, Loaded]
    shadow: Mapping[str, Loaded]
    missing: frozenset[str]


def load_models(
    store: ModelStore, keys: Keys, factory: Path, types: Mapping[str, TurbineType]
) -> LoadedModels:
    """Everything that the store and the factory have."""
    serving = load_serving(store, keys, factory)
    shipped = {path.parent.name for path in factory.glob(f"*/{RELEASE_FILE}")}
    expected = {name for name, known in types.items() if known.model_name in shipped}
    expected |= {name for name, committed in store.committed().items() if committed.current}
    return LoadedModels(
        serving, load_shadow_models(store, keys, serving), frozenset(expected - serving.keys())
    )


def check_package(release: Release, signature: Signature, archive: bytes, keys: Keys) -> Package:
    """Signature first, then digest, then content. Raises ``PackageError``."""
    verify(release, signature, keys)
    return check_archive(release, archive)


def check_archive(release: Release, archive: bytes) -> Package:
    """Digest, then content. Raises ``PackageError``."""
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
            release, signature, archive = read_slot(place)
            key = load_key(place / SIGNING_KEY)
            verify(release, signature, {signature.key_id: key} if key else {})
            loaded = _load(release, archive, None)
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
            _verify_installed(store, slot, release, signature, keys)
            return _load(release, archive, slot, turbine_type)
        except GustbedError as error:
            log.error(  # noqa: TRY400
                "%s model %s %s does not load: %s", origin, slot.name, slot.version, error
            )
    return None


def _verify_installed(
    store: ModelStore, slot: Slot, release: Release, signature: Signature, keys: Keys
) -> None:
    """What was installed goes on, whether or not its key may sign still."""
    path = store.key_path(slot)
    own = load_key(path) if path.exists() else None
    if own is not None:
        verify(release, signature, {signature.key_id: own})
    elif (pem := key_pem(signature, keys)) is not None:
        verify(release, signature, keys)
        try:
            write_atomic(path, pem)
        except OSError as error:
            log.warning("%s: %s; trying again at the next start", path, error.strerror)
    elif (slot.name, slot.version, slot.sha256, slot.role) == (
        release.name,
        release.version,
        release.sha256,
        release.role,
    ):
        # By a version that kept no keys. It verified what the pointer names before it wrote it.
        log.warning("model %s %s: its signing key is gone; it goes on", slot.name, slot.version)
    else:
        verify(release, signature, keys)


def _load(
    release: Release, archive: bytes, slot: Slot | None, turbine_type: str | None = None
) -> Loaded:
    package = check_archive(release, archive)
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
