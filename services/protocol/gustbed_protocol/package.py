"""The model package: one archive with everything a model needs to serve, and nothing else.

``package.tar.gz`` holds ``manifest.json``, ``model.onnx`` and ``golden.npz``. Packages are
untrusted input until their release is verified: only these three members are read, each with a
size bound, and nothing is ever unpacked to disk or unpickled.

The graph takes ``window`` float32 (n, features, time), normalises, reconstructs and scores. It
returns ``score`` and ``ratio``, float32 (n, features): the score over the threshold.
"""

import gzip
import hashlib
import io
import math
import re
import tarfile
import zipfile
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from gustbed_protocol.errors import GustbedError
from gustbed_protocol.features import FEATURES
from gustbed_protocol.violations import Violation

SCHEMA = 1
MAX_PACKAGE_BYTES = 64 * 1024 * 1024
MAX_MEMBER_BYTES = 128 * 1024 * 1024
MANIFEST, MODEL, GOLDEN = "manifest.json", "model.onnx", "golden.npz"
INPUT, SCORE, RATIO = "window", "score", "ratio"
_SEMVER = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


class PackageError(GustbedError):
    """A package that must not serve. ``reason`` is a stable code for job status details."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class FeatureSpec:
    """A feature that the model expects, in the order of the graph's input."""

    name: str
    unit: str


@dataclass(frozen=True)
class Manifest:
    """What a package says of itself.

    ``window`` and ``step`` count samples at ``sample_rate_hz``. ``thresholds`` (by feature, in
    the graph's score unit) are for people: the graph already divides by them. ``violations``
    maps each kind to the features that speak for it. ``checksums`` are SHA-256 in hex.
    """

    name: str
    version: str
    created: str
    features: list[FeatureSpec]
    sample_rate_hz: float
    window: int
    step: int
    thresholds: dict[str, float]
    violations: dict[Violation, list[str]]
    metrics: dict[str, float] = field(default_factory=dict)
    training: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA


@dataclass(frozen=True)
class Package:
    """A package in memory. Golden arrays: windows (n, features, time), ratios (n, features)."""

    manifest: Manifest
    model: bytes
    golden_windows: NDArray[np.float32]
    golden_ratios: NDArray[np.float32]


def version_key(version: str) -> tuple[int, int, int]:
    """Order ``MAJOR.MINOR.PATCH`` versions. Raises ``PackageError`` for anything else."""
    match = _SEMVER.fullmatch(version)
    if match is None:
        raise PackageError("bad_version", f"version {version!r} is not MAJOR.MINOR.PATCH")
    major, minor, patch = (int(part) for part in match.groups())
    return major, minor, patch


def check_name(name: str) -> str:
    """Return a model name that can be a file name and a registry group, else raise."""
    if not _NAME.fullmatch(name):
        raise PackageError("bad_name", f"model name {name!r}: use a-z, 0-9 and '-'")
    return name


def sha256(data: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()


def write_package(package: Package, path: Path) -> bytes:
    """Write the archive, byte for byte the same for the same content; return its bytes."""
    golden = io.BytesIO()
    np.savez(golden, windows=package.golden_windows, ratios=package.golden_ratios)
    members = {MODEL: package.model, GOLDEN: golden.getvalue()}
    checksums = {name: sha256(data) for name, data in members.items()}
    manifest = replace(package.manifest, checksums=checksums)
    manifest_json = msgspec.json.format(msgspec.json.encode(manifest, order="sorted"))
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in {MANIFEST: manifest_json, **members}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    # mtime 0 keeps gzip from stamping the clock into the header.
    packed = gzip.compress(raw.getvalue(), mtime=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed)
    return packed


def read_package(data: bytes) -> Package:
    """Read and check an archive. Raises ``PackageError``; never touches the file system."""
    members = _read_members(data)
    try:
        manifest = msgspec.json.decode(members[MANIFEST], type=Manifest)
    except msgspec.MsgspecError as error:
        raise PackageError("bad_manifest", f"{MANIFEST}: {error}") from error
    _check_manifest(manifest)
    for name in (MODEL, GOLDEN):
        if manifest.checksums.get(name) != sha256(members[name]):
            raise PackageError("bad_checksum", f"{name} does not match its checksum in {MANIFEST}")
    try:
        with np.load(io.BytesIO(members[GOLDEN]), allow_pickle=False) as golden:
            windows, ratios = golden["windows"], golden["ratios"]
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise PackageError("bad_golden", f"{GOLDEN}: {error}") from error
    expected = (len(manifest.features), manifest.window)
    if windows.ndim != 3 or len(windows) == 0 or windows.shape[1:] != expected:
        raise PackageError("bad_golden", f"{GOLDEN}: windows must be (n, {expected})")
    if ratios.shape != windows.shape[:2]:
        raise PackageError("bad_golden", f"{GOLDEN}: ratios must be {windows.shape[:2]}")
    return Package(manifest, members[MODEL], windows.astype(np.float32), ratios.astype(np.float32))


def _read_members(data: bytes) -> dict[str, bytes]:
    if len(data) > MAX_PACKAGE_BYTES:
        raise PackageError(
            "oversized", f"package of {len(data)} bytes, at most {MAX_PACKAGE_BYTES}"
        )
    members: dict[str, bytes] = {}
    try:
        with (
            gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked,
            tarfile.open(fileobj=cast(IO[bytes], unpacked), mode="r|") as archive,
        ):
            for info in archive:
                if info.name not in (MANIFEST, MODEL, GOLDEN) or info.name in members:
                    raise PackageError("bad_archive", f"unexpected member {info.name[:80]!r}")
                if not info.isreg() or info.size > MAX_MEMBER_BYTES:
                    raise PackageError("bad_archive", f"{info.name}: not a file of sensible size")
                extracted = archive.extractfile(info)
                members[info.name] = extracted.read() if extracted else b""
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise PackageError("bad_archive", f"not a readable package: {error}") from error
    missing = {MANIFEST, MODEL, GOLDEN} - members.keys()
    if missing:
        raise PackageError("bad_archive", f"missing {', '.join(sorted(missing))}")
    return members


def _check_manifest(manifest: Manifest) -> None:
    if manifest.schema != SCHEMA:
        raise PackageError("wrong_schema", f"package schema {manifest.schema}, not {SCHEMA}")
    check_name(manifest.name)
    version_key(manifest.version)
    wanted = [(feature.name, feature.unit) for feature in FEATURES]
    given = [(feature.name, feature.unit) for feature in manifest.features]
    if given != wanted:
        raise PackageError("wrong_features", f"model expects {given}, this release makes {wanted}")
    if manifest.window < 1 or manifest.step < 1 or manifest.sample_rate_hz <= 0:
        raise PackageError("bad_manifest", "window, step and sample_rate_hz must be above 0")
    names = {feature.name for feature in manifest.features}
    if manifest.violations.keys() != set(Violation):
        missing = sorted(set(Violation) - manifest.violations.keys())
        raise PackageError("bad_manifest", f"violations: {', '.join(missing)} missing")
    if manifest.thresholds.keys() != names or not all(
        math.isfinite(value) and value > 0 for value in manifest.thresholds.values()
    ):
        raise PackageError("bad_manifest", "thresholds: one above 0 for each feature")
    for kind, features in manifest.violations.items():
        if not features or not set(features) <= names:
            raise PackageError("bad_manifest", f"violation {kind}: unknown or no features")
