"""Installing a model: every check before the serving model is touched, then swap and commit.

The order is the safety of it. Until ``commit`` the pointer names the old model, so an update cut
off anywhere leaves the old one serving after a restart. A power-loss proof slot layout and
probation of a new model belong between ``stage`` and ``commit``.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gustbed_edge.detector import Detector, check_golden
from gustbed_edge.download import download
from gustbed_edge.models import Loaded, ModelStore, check_package
from gustbed_edge.trust import Keys, verify
from gustbed_protocol import jobs
from gustbed_protocol.jobs import JobDocument, Release
from gustbed_protocol.package import MAX_PACKAGE_BYTES, PackageError, check_name, version_key

log = logging.getLogger(__name__)

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Limits:
    """What a new model must keep on this device."""

    turbines: int
    max_scoring_time: float


class Installer:
    """Turns job documents into serving models.

    ``swap`` puts a detector into service between two batches; ``keys`` reads the keys that may
    sign now. Used by one thread.
    """

    def __init__(
        self,
        store: ModelStore,
        *,
        serving: Loaded | None,
        keys: Callable[[], Keys],
        swap: Callable[[Detector], None],
        limits: Limits,
        scratch: Path,
        fetch: Callable[[str, int, str, Path], bytes] = download,
    ) -> None:
        self.serving = serving
        self._store = store
        self._keys = keys
        self._swap = swap
        self._limits = limits
        self._scratch = scratch
        self._fetch = fetch

    def install(self, job: str, document: object, progress: Progress) -> Release:
        """Install what a job document asks for; return what serves now.

        Raises ``PackageError``, whose reason is the code to report; the model that served before
        then goes on.
        """
        order = read_document(document)
        release = order.release
        progress(f"{release.name} {release.version}: checking")
        keys = self._keys()
        verify(release, order.signature, keys)
        if self._already(job, release):
            return release
        self._check_version(release)
        progress(f"{release.name} {release.version}: downloading")
        try:
            archive = self._fetch(order.url, release.size, release.sha256, self._scratch)
            progress(f"{release.name} {release.version}: testing")
            package = check_package(release, order.signature, archive, keys)
            self._check_rate(package.manifest.sample_rate_hz)
            detector = Detector(package)
            check_golden(
                package,
                detector,
                turbines=self._limits.turbines,
                max_scoring_time=self._limits.max_scoring_time,
            )
            progress(f"{release.name} {release.version}: installing")
            slot = self._store.stage(release, order.signature, archive, job)
            self._exchange(Loaded(release, detector, slot))
        except OSError as error:
            raise PackageError("storage", f"the edge's disk: {error.strerror}") from error
        return release

    def _exchange(self, loaded: Loaded) -> None:
        before = self.serving
        try:
            self._swap(loaded.detector)
        except TimeoutError as error:
            raise PackageError("not_swapped", str(error)) from error
        assert loaded.slot is not None  # noqa: S101 - staged just before
        try:
            self._store.commit(loaded.slot)
        except OSError:
            # What does not survive a restart must not serve until then either.
            if before is not None:
                self._swap(before.detector)
            raise
        self.serving = loaded

    def _already(self, job: str, release: Release) -> bool:
        """Whether this very package was committed and serves: then the wish is fulfilled."""
        current = self._store.committed().current
        serving = self.serving
        if current is None or serving is None or serving.slot is None:
            return False
        same = (current.name, current.version, current.sha256) == (
            release.name,
            release.version,
            release.sha256,
        )
        if same and serving.slot.folder == current.folder:
            log.info("job %s: %s %s serves already", job, release.name, release.version)
            return True
        return False

    def _check_version(self, release: Release) -> None:
        installed = self._installed()
        if installed is None:
            return
        name, version, broken = installed
        if release.name != name:
            raise PackageError("wrong_model", f"{release.name!r} offered, {name!r} installed")
        offered, current = version_key(release.version), version_key(version)
        if offered > current or release.rollback or (broken and offered == current):
            return
        raise PackageError(
            "not_newer", f"{release.version} offered, {version} installed, and no rollback signed"
        )

    def _installed(self) -> tuple[str, str, bool] | None:
        """Name and version installed, and whether it does not serve as it should."""
        current = self._store.committed().current
        if current is not None:
            serving = self.serving.slot if self.serving else None
            return current.name, current.version, serving is None or serving != current
        if self.serving is not None:
            return self.serving.release.name, self.serving.release.version, False
        return None

    def _check_rate(self, rate: float) -> None:
        serving = self.serving
        if serving is not None and serving.detector.manifest.sample_rate_hz != rate:
            raise PackageError(
                "wrong_rate",
                f"the model reads {rate:g} samples/s, this site sends "
                f"{serving.detector.manifest.sample_rate_hz:g}",
            )


def read_document(document: object) -> JobDocument:
    """Check a job document: untrusted input. Raises ``PackageError``."""
    try:
        order = msgspec.convert(document, JobDocument, strict=True)
    except msgspec.ValidationError as error:
        raise PackageError("bad_document", str(error)) from error
    if order.schema != jobs.SCHEMA:
        raise PackageError("wrong_schema", f"job document schema {order.schema}")
    if order.operation != jobs.OPERATION_UPDATE_MODEL:
        raise PackageError("wrong_operation", f"operation {order.operation[:60]!r}")
    check_name(order.release.name)
    version_key(order.release.version)
    if not 0 < order.release.size <= MAX_PACKAGE_BYTES:
        raise PackageError("oversized", f"{order.release.size} bytes, at most {MAX_PACKAGE_BYTES}")
    return order
