"""A site to install models on: an edge's disk and an artifact store, without the network."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from gustbed_core.jobs import JobDocument
from gustbed_core.package import Package, PackageError
from gustbed_core.telemetry import MINI
from gustbed_edge.models.installer import Installer, Limits
from gustbed_edge.models.loading import load_serving, load_shadow_models
from gustbed_edge.models.orders import Trust
from gustbed_edge.models.signatures import Keys
from gustbed_edge.models.store import ModelStore
from gustbed_edge.scoring.detector import Detector
from tests.support.packages import (
    GROUP,
    Signed,
    SigningKey,
    as_order,
    mill_package,
    order_package,
    sign_package,
    tiny_package,
    write_factory,
)
from tests.unit.edge.committing import KEY

THRESHOLDS = tiny_package().manifest.thresholds


class Site:
    """An edge's disk and an artifact store, without the network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys: Keys = {"k1": KEY.private.public_key()}
        self.swapped: list[str] = []
        self.shadows: dict[str, str] = {}
        self.hosts: tuple[str, ...] = ("store",)
        self.now: Callable[[], float] = time.time
        self.downloads = 0
        self.served: bytes = b""
        own = SigningKey("factory")
        signed = sign_package(tiny_package("1.0.0"), own, folder / "packages")
        self.factory = write_factory(folder / "factory", signed, own)
        self.start()

    def start(self, **changes: Any) -> None:
        """Start, or restart."""
        store = ModelStore(self.folder / "models")
        self.serving = load_serving(store, self.keys, self.factory)
        shadow_models = load_shadow_models(store, self.keys, self.serving)
        self.shadows = {kind: loaded.release.version for kind, loaded in shadow_models.items()}
        options: dict[str, Any] = {
            "serving": self.serving,
            "trust": lambda: Trust(self.keys, "edge-1", (GROUP,), self.hosts),
            "clock": lambda: self.now(),
            "host": self,
            "shadow_models": shadow_models,
            "limits": Limits(6, 5.0),
            "scratch": self.folder,
            "fetch": self.fetch,
        }
        self.store = store
        self.installer = Installer(store, **(options | changes))

    def serve(self, detector: Detector) -> None:
        self.swapped.append(detector.model.version)

    def withdraw(self, kind: str) -> None:
        self.swapped.append(f"no {kind}")

    def start_shadow(self, detector: Detector) -> None:
        self.shadows[detector.manifest.turbine_type] = detector.model.version

    def stop_shadow(self, kind: str) -> None:
        del self.shadows[kind]

    def runs_shadow(self, kind: str) -> bool:
        return kind in self.shadows

    def fetch(self, *_: object) -> bytes:
        self.downloads += 1
        return self.served

    def order(self, signed: Signed, **changes: Any) -> dict[str, Any]:
        """The job document of a package, which is put up for download."""
        self.served = signed.archive
        document = JobDocument(signed.release, "https://store/x", signed.signature)
        return asdict(document) | changes

    def package(self, version: str, **options: Any) -> Signed:
        """A signed package."""
        return self.sign(tiny_package(version, **options))

    def mill(self, version: str, **options: Any) -> Signed:
        """A signed package for another type."""
        return self.sign(mill_package(version, **options))

    def shadow(self, version: str, **options: Any) -> Signed:
        """A package signed to run in shadow."""
        return self.sign(tiny_package(version, **options), role="shadow")

    def sign(self, package: Package, **changes: Any) -> Signed:
        """Sign an order of a package, which comes after every other, changed as given."""
        return order_package(package, KEY, self.folder / "packages", **changes)

    def again(self, signed: Signed, **changes: Any) -> Signed:
        """The same package ordered once more."""
        release = as_order(signed.release, **changes)
        return Signed(release, KEY.sign(release), signed.archive)

    def install(self, signed: Signed, job: str = "job", **changes: Any) -> None:
        self.installer.install(job, self.order(signed, **changes), lambda _text: None)

    def refusal(self, signed: Signed, **changes: Any) -> str:
        """The reason of a refusal, which must have changed nothing."""
        before, swapped = self.store.committed(), list(self.swapped)
        with pytest.raises(PackageError) as refused:
            self.install(signed, **changes)
        assert self.store.committed() == before
        assert self.swapped == swapped
        return refused.value.reason

    def serves(self, kind: str = MINI) -> str | None:
        """The version that serves after a restart."""
        self.start()
        return self.serving[kind].release.version if kind in self.serving else None


def full(*_: object) -> None:
    """A disk that takes nothing more."""
    raise OSError(28, "No space left on device")
