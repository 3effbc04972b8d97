"""Packages are untrusted input until they prove otherwise."""

import gzip
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gustbed_core.event_kinds import KNOWN, VOLTAGE
from gustbed_core.features import Feature
from gustbed_core.package import (
    Manifest,
    Package,
    PackageError,
    read_package,
    version_key,
    write_package,
)
from gustbed_core.turbine_types import load_type

SCHEMA = load_type("mini").schema
FEATURES = SCHEMA.features


def package() -> Package:
    manifest = Manifest(
        name="windturbine",
        version="1.2.3",
        created="2026-01-01T00:00:00Z",
        turbine_type="mini",
        detector="none",
        channels=SCHEMA.channels,
        features=FEATURES,
        sample_rate_hz=20,
        window=100,
        step=10,
        thresholds={f.name: 1.0 for f in FEATURES},
        violations=SCHEMA.violations,
    )
    return Package(
        manifest,
        b"",
        np.zeros((2, 6, 100), np.float32),
        np.zeros((2, 6), np.float32),
        "# A card",
    )


def test_a_package_survives_the_archive_and_is_reproducible(tmp_path: Path) -> None:
    first = write_package(package(), tmp_path / "a.tar.gz")
    second = write_package(package(), tmp_path / "b.tar.gz")
    assert first == second == (tmp_path / "a.tar.gz").read_bytes()
    back = read_package(first)
    assert back.manifest.version == "1.2.3"
    assert set(back.manifest.checksums) == {"model.onnx", "golden.npz", "card.md"}
    assert back.card == "# A card"
    assert back.golden_windows.shape == (2, 6, 100)


@pytest.mark.promise("O2")
def test_every_truncation_and_every_flipped_byte_is_refused(tmp_path: Path) -> None:
    good = write_package(package(), tmp_path / "a.tar.gz")
    for cut in range(0, len(good) - 1, 37):
        with pytest.raises(PackageError):
            read_package(good[:cut])
    # The gzip header's time, flags and system bytes (4 to 9) say nothing about the content.
    for position in range(10, len(good), 29):
        flipped = bytearray(good)
        flipped[position] ^= 0xFF
        with pytest.raises(PackageError):
            read_package(bytes(flipped))


def archive(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), mtime=0)


@pytest.mark.promise("S5")
def test_path_traversal_links_and_strangers_are_refused() -> None:
    link = tarfile.TarInfo("model.onnx")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    for info in (tarfile.TarInfo("../../etc/cron.d/x"), tarfile.TarInfo("extra.py"), link):
        with pytest.raises(PackageError) as caught:
            read_package(archive([(info, b"")]))
        assert caught.value.reason == "bad_archive"


@pytest.mark.parametrize(
    ("features", "says"),
    [
        ([Feature("gossip", "1")], "no channel 'gossip'"),
        ([Feature("roll", "rad", "roll", ("qw", "qx"))], "'roll' of 2 channels"),
        ([Feature("rps", "1/s"), Feature("rps", "1/s")], "named once"),
        ([], "features"),
    ],
)
def test_features_that_cannot_be_computed_are_refused(
    tmp_path: Path, features: list[Feature], says: str
) -> None:
    good = package()
    other = replace(good.manifest, features=tuple(features))
    data = write_package(replace(good, manifest=other), tmp_path / "a.tar.gz")
    with pytest.raises(PackageError, match=says) as caught:
        read_package(data)
    assert caught.value.reason == "wrong_features"


@pytest.mark.parametrize(
    "changes",
    [
        {"violations": {}},
        {"violations": {VOLTAGE: ("voltage",)}},
        {"violations": dict.fromkeys(KNOWN, ("gossip",))},
        {"violations": SCHEMA.violations | {"Not a name": ("rps",)}},
        {"thresholds": {}},
        {"thresholds": {f.name: 0.0 for f in FEATURES}},
    ],
)
def test_a_model_that_could_never_accuse_is_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    good = package()
    silent = replace(good.manifest, **changes)  # type: ignore[arg-type]
    data = write_package(replace(good, manifest=silent), tmp_path / "a.tar.gz")
    with pytest.raises(PackageError) as caught:
        read_package(data)
    assert caught.value.reason == "bad_manifest"


@pytest.mark.parametrize("bad", ["1.0", "1.0.0-rc1", "01.0.0", "1.10", "v1.0.0", "1.0.0\n", ""])
def test_versions_are_semantic_and_nothing_else(bad: str) -> None:
    with pytest.raises(PackageError):
        version_key(bad)


@pytest.mark.promise("O3")
def test_versions_order_as_numbers_not_as_text_or_floats() -> None:
    assert version_key("1.10.0") > version_key("1.9.0") > version_key("1.2.0")
