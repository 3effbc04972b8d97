"""Installing a model: every check before the serving model is touched, then swap and commit.

The order is the safety of it. Until ``commit`` the pointer names the old model, so an update cut
off anywhere leaves the old one serving after a restart. A power-loss proof slot layout and
probation of a new model belong between ``stage`` and ``commit``.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gustbed_core.jobs import SCHEMA, DocumentError, JobDocument, Release, read_job_document
from gustbed_core.package import (
    MAX_PACKAGE_BYTES,
    Manifest,
    Package,
    PackageError,
    check_name,
    version_key,
)
from gustbed_core.turbine_types import TurbineType
from gustbed_edge.models.download import download
from gustbed_edge.models.loading import Loaded, check_package
from gustbed_edge.models.orders import OrderBook, Trust, check_order
from gustbed_edge.models.signatures import key_pem, verify
from gustbed_edge.models.store import Committed, ModelStore, Slot
from gustbed_edge.scoring.detector import Detector, check_golden
from gustbed_edge.scoring.type_scorer import check_fits

log = logging.getLogger(__name__)

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Limits:
    """What a new model must keep on this device. ``types`` are those that have a file."""

    turbines: int
    max_scoring_time: float
    types: Mapping[str, TurbineType] = field(default_factory=dict)


class ModelHost(Protocol):
    """What an installer needs of the workload that models run in.

    Every method takes effect between two batches; the first four raise ``TimeoutError`` if the
    thread does not get there.
    """

    def serve(self, detector: Detector) -> None:
        """Let a model serve the turbines of its type."""

    def withdraw(self, turbine_type: str) -> None:
        """Let none serve this type."""

    def start_shadow(self, detector: Detector) -> None:
        """Let a model run in shadow of the one that serves its type."""

    def stop_shadow(self, turbine_type: str) -> None:
        """Let none run in shadow of this type's."""

    def runs_shadow(self, turbine_type: str) -> bool:
        """Whether a shadow model of this type still runs."""


@dataclass(frozen=True, slots=True)
class _Installed:
    name: str
    version: str
    broken: bool
    """Whether it is not the one that serves, though it should be."""


class Installer:
    """Turns job documents into models that serve or run in shadow.

    ``trust`` reads whom this edge obeys now, ``clock`` Unix seconds. Used by one thread.
    """

    def __init__(
        self,
        store: ModelStore,
        *,
        serving: Mapping[str, Loaded],
        shadow_models: Mapping[str, Loaded],
        trust: Callable[[], Trust],
        host: ModelHost,
        limits: Limits,
        scratch: Path,
        fetch: Callable[[str, int, str, Path, Iterable[str]], bytes] = download,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._serving = dict(serving)
        self._shadow_models = dict(shadow_models)
        self._store = store
        self._trust = trust
        self._orders = OrderBook(scratch, store.releases())
        self._clock = clock
        self._host = host
        self._limits = limits
        self._scratch = scratch
        self._fetch = fetch

    def install(self, job: str, document: object, progress: Progress) -> Release:
        """Install what a job document asks for; return what serves, or runs in shadow, now.

        Raises ``PackageError``, whose reason is the code to report; the models that ran before
        then go on.
        """
        order = read_document(document)
        release = order.release
        title = f"{release.name} {release.version}"
        progress(f"{title}: checking")
        trust = self._trust()
        verify(release, order.signature, trust.keys)
        check_order(release, order.url, trust, self._clock())
        try:
            self._orders.accept(release)
            if self._already(job, release):
                return release
            self._check_version(release)
            progress(f"{title}: downloading")
            archive = self._fetch(
                order.url, release.size, release.sha256, self._scratch, trust.downloads
            )
            progress(f"{title}: testing")
            package = check_package(release, order.signature, archive, trust.keys)
            detector = self._tested(release, package)
            progress(f"{title}: installing")
            slot = self._store.stage(
                release, order.signature, archive, job, key_pem(order.signature, trust.keys)
            )
            loaded = Loaded(release, detector, slot)
            if release.role == "serve":
                self._exchange(package.manifest.turbine_type, loaded, slot)
            else:
                self._begin(package.manifest.turbine_type, loaded, slot)
        except OSError as error:
            raise PackageError("storage", f"the edge's disk: {error.strerror}") from error
        return release

    def _tested(self, release: Release, package: Package) -> Detector:
        self._check_type(release, package.manifest)
        known = self._limits.types.get(package.manifest.turbine_type)
        check_fits(package.manifest, self._limits.turbines, known)
        detector = Detector(package)
        check_golden(
            package,
            detector,
            turbines=self._limits.turbines,
            max_scoring_time=self._limits.max_scoring_time,
        )
        return detector

    def _exchange(self, turbine_type: str, loaded: Loaded, slot: Slot) -> None:
        before = self._serving.get(turbine_type)
        with _swapping():
            self._host.serve(loaded.detector)
        try:
            committed = self._store.commit(turbine_type, slot)
        except OSError:
            # What does not survive a restart must not serve until then either.
            if before is not None:
                self._host.serve(before.detector)
            else:
                self._host.withdraw(turbine_type)
            raise
        self._serving[turbine_type] = loaded
        if committed.shadow is None and self._shadow_models.pop(turbine_type, None) is not None:
            try:
                self._host.stop_shadow(turbine_type)
            except TimeoutError as error:
                log.warning("the shadow model of type %s runs on: %s", turbine_type, error)

    def _begin(self, turbine_type: str, loaded: Loaded, slot: Slot) -> None:
        before = self._shadow_models.get(turbine_type)
        with _swapping():
            self._host.start_shadow(loaded.detector)
        try:
            self._store.set_shadow(turbine_type, slot)
        except OSError:
            if before is not None:
                self._host.start_shadow(before.detector)
            else:
                self._host.stop_shadow(turbine_type)
            raise
        self._shadow_models[turbine_type] = loaded

    def _already(self, job: str, release: Release) -> bool:
        """Whether this very package was committed in this role and runs: the wish is fulfilled."""
        for turbine_type, committed in self._store.committed().items():
            serves = release.role == "serve"
            slot = committed.current if serves else committed.shadow
            wanted = (release.name, release.version, release.sha256)
            if slot is None or (slot.name, slot.version, slot.sha256) != wanted:
                continue
            running = (self._serving if serves else self._shadow_models).get(turbine_type)
            if running is None or running.slot != slot:
                continue
            if serves or self._host.runs_shadow(turbine_type):
                log.info("job %s: %s %s runs already", job, release.name, release.version)
                return True
        return False

    def _check_version(self, release: Release) -> None:
        turbine_type = self._type_of(release.name)
        installed = self._installed(turbine_type) if turbine_type is not None else None
        if installed is None or installed.name != release.name or release.rollback:
            return
        offered, current = version_key(release.version), version_key(installed.version)
        repairs = installed.broken and offered == current and release.role == "serve"
        if offered > current or repairs:
            return
        raise PackageError(
            "not_newer",
            f"{release.version} offered, {installed.version} installed, and no rollback signed",
        )

    def _check_type(self, release: Release, manifest: Manifest) -> None:
        turbine_type = manifest.turbine_type
        known = self._type_of(release.name)
        if known not in (None, turbine_type):
            raise PackageError(
                "wrong_model",
                f"{release.name!r} is for type {known!r} here, this one for {turbine_type!r}",
            )
        installed = self._installed(turbine_type)
        if installed is not None and installed.name != release.name:
            raise PackageError(
                "wrong_model",
                f"{release.name!r} offered for type {turbine_type!r}, {installed.name!r} installed",
            )
        serving = self._serving.get(turbine_type)
        if serving is None:
            if release.role == "shadow":
                raise PackageError(
                    "nothing_to_challenge", f"no model serves turbines of type {turbine_type!r}"
                )
            return
        rate = serving.detector.manifest.sample_rate_hz
        if manifest.sample_rate_hz != rate:
            raise PackageError(
                "wrong_rate",
                f"the model reads {manifest.sample_rate_hz:g} samples/s, turbines of type "
                f"{turbine_type!r} send {rate:g}",
            )

    def _type_of(self, name: str) -> str | None:
        """The turbine type that a model name is taken by."""
        for turbine_type in {*self._store.committed(), *self._serving}:
            installed = self._installed(turbine_type)
            if installed is not None and installed.name == name:
                return turbine_type
        return None

    def _installed(self, turbine_type: str) -> _Installed | None:
        serving = self._serving.get(turbine_type)
        current = self._store.committed().get(turbine_type, Committed()).current
        if current is not None and (serving is None or serving.slot != current):
            # It does not load. What serves instead may be newer: then that is what counts.
            version = current.version
            if serving is not None and serving.release.name == current.name:
                version = max(version, serving.release.version, key=version_key)
            return _Installed(current.name, version, broken=True)
        if serving is not None:
            return _Installed(serving.release.name, serving.release.version, broken=False)
        return None


@contextmanager
def _swapping() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise PackageError("not_swapped", str(error)) from error


def read_document(document: object) -> JobDocument:
    """Check a job document: untrusted input. Raises ``PackageError``."""
    try:
        order = read_job_document(document)
    except DocumentError as error:
        raise PackageError(error.reason, error.detail) from error
    if order.schema != SCHEMA:
        raise PackageError(
            "wrong_schema",
            f"{order.release.name[:40]} {order.release.version[:40]} was signed by an earlier "
            "Gustbed, without target and expiry: approve it again",
        )
    check_name(order.release.name)
    version_key(order.release.version)
    if not 0 < order.release.size <= MAX_PACKAGE_BYTES:
        raise PackageError("oversized", f"{order.release.size} bytes, at most {MAX_PACKAGE_BYTES}")
    return order
