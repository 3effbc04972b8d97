"""The model package: one archive with everything a model needs to serve, and nothing else.

``package.tar.gz`` holds ``manifest.json``, ``model.onnx``, ``golden.npz`` and ``card.md``, the
model card for people; ``gate.json``, if a pipeline vouches for it; and ``population.npz``, if the
model can be commissioned per turbine. Packages are untrusted input until their release is verified:
only these members are read, each with a size bound, and nothing is ever unpacked to disk or
unpickled.

The graph takes ``window`` float32 (n, features, time), normalises, reconstructs and scores. It
returns ``score`` and ``ratio``, float32 (n, features): the score over the threshold; with a
population also the arrays of ``gustbed_core.commissioning.population.Terms``.
"""

import gzip
import hashlib
import io
import math
import re
import struct
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from gustbed_core.archive import (
    CARD,
    GATE,
    GOLDEN,
    MANIFEST,
    MODEL,
    POPULATION,
    ArchiveError,
    read_members,
)
from gustbed_core.commissioning.population import (
    POPULATION_ARRAYS,
    Population,
    population_of,
    population_to_bytes,
)
from gustbed_core.errors import GustbedError
from gustbed_core.features import Engineer
from gustbed_core.onnx_weights import WeightsError, check_weights
from gustbed_core.signals import Signals
from gustbed_core.topics import level

SCHEMA = 2
MAX_PACKAGE_BYTES = 64 * 1024 * 1024
MAX_DIRECTORY_BYTES = 1024
"""Of the arrays' entries in a file of them."""
MAX_WINDOW, MAX_FEATURES, MAX_CHANNELS = 20_000, 256, 1024
_GOLDEN = ("windows", "ratios")
_END = struct.Struct("<4s4H2LH")
"""The end of a zip file: signature, numbers of disks and entries, size and place of the directory,
length of a comment."""
_UNREADABLE = (
    ValueError, KeyError, OSError, EOFError, NotImplementedError, RuntimeError, MemoryError,
    struct.error, zipfile.BadZipFile,
)  # fmt: skip
INPUT, SCORE, RATIO = "window", "score", "ratio"
_SEMVER = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})")
_KIND = re.compile(r"[a-z][a-z0-9_]{0,40}")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


class PackageError(GustbedError):
    """A package that must not serve. ``reason`` is a stable code for job status details."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Distribution:
    """How a feature was distributed in training: mean, standard deviation, and the quantiles
    at ``QUANTILES``, in the feature's unit.
    """

    mean: float
    std: float
    quantiles: list[float]


QUANTILES: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, kw_only=True)
class Manifest(Signals):
    """What a package says of itself.

    It serves turbines of ``turbine_type``, whose blocks hold ``channels`` at least. ``thresholds``
    (by feature, in the graph's score unit) are for people: the graph already divides by them.
    ``reference`` says how features were distributed in training. ``checksums`` are SHA-256 in hex.
    """

    name: str
    version: str
    created: str
    detector: str
    thresholds: dict[str, float]
    reference: dict[str, Distribution] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    training: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA


@dataclass(frozen=True)
class Package:
    """A package in memory. Golden arrays: feature windows (n, features, time), ratios
    (n, features). ``card`` is Markdown. ``population`` is what a commissioning starts from.
    """

    manifest: Manifest
    model: bytes
    golden_windows: NDArray[np.float32]
    golden_ratios: NDArray[np.float32]
    card: str = ""
    population: Population | None = None


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


def fingerprint(package: Package) -> str:
    """SHA-256 in hex of what corrections of a model's errors rest on: its graph and population.

    A package that is sealed or described anew keeps it.
    """
    population = b"" if package.population is None else population_to_bytes(package.population)
    return sha256(package.model + population)


def write_package(package: Package, path: Path) -> bytes:
    """Write the archive, byte for byte the same for the same content; return its bytes."""
    golden = io.BytesIO()
    np.savez(golden, windows=package.golden_windows, ratios=package.golden_ratios)
    members = {MODEL: package.model, GOLDEN: golden.getvalue(), CARD: package.card.encode()}
    if package.population is not None:
        members[POPULATION] = population_to_bytes(package.population)
    checksums = {name: sha256(data) for name, data in members.items()}
    manifest = replace(package.manifest, checksums=checksums)
    manifest_json = msgspec.json.format(msgspec.json.encode(manifest, order="sorted"))
    packed = pack_members({MANIFEST: manifest_json, **members})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed)
    return packed


def seal_package(archive: bytes, gate: bytes) -> bytes:
    """The package with its quality gate's signed report, instead of any that is in it.

    Raises ``PackageError``.
    """
    return pack_members(_read_members(archive) | {GATE: gate})


def unsealed_package(archive: bytes) -> bytes:
    """The package without a gate's report. Raises ``PackageError``."""
    members = _read_members(archive)
    return pack_members({name: data for name, data in members.items() if name != GATE})


def pack_members(members: Mapping[str, bytes]) -> bytes:
    """An archive of these files, the same for the same content."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    # mtime 0 keeps gzip from stamping the clock into the header.
    return gzip.compress(raw.getvalue(), mtime=0)


def read_package(data: bytes) -> Package:
    """Read and check an archive. Raises ``PackageError``; never touches the file system."""
    members = _read_members(data)
    try:
        manifest = msgspec.json.decode(members[MANIFEST], type=Manifest)
    except msgspec.MsgspecError as error:
        raise PackageError("bad_manifest", f"{MANIFEST}: {error}") from error
    _check_manifest(manifest)
    for name in members.keys() - {MANIFEST, GATE}:
        if manifest.checksums.get(name) != sha256(members[name]):
            raise PackageError("bad_checksum", f"{name} does not match its checksum in {MANIFEST}")
    windows, ratios = _read_golden(members[GOLDEN])
    expected = (len(manifest.features), manifest.window)
    if windows.ndim != 3 or len(windows) == 0 or windows.shape[1:] != expected:
        raise PackageError("bad_golden", f"{GOLDEN}: windows must be (n, {expected})")
    if ratios.shape != windows.shape[:2]:
        raise PackageError("bad_golden", f"{GOLDEN}: ratios must be {windows.shape[:2]}")
    try:
        check_weights(members[MODEL])
    except WeightsError as error:
        raise PackageError("not_finite", f"{MODEL}: {error}") from error
    card = members[CARD].decode("utf-8", "replace")
    population = _read_population(members.get(POPULATION), len(manifest.features))
    return Package(manifest, members[MODEL], windows, ratios, card, population)


def _read_members(data: bytes) -> dict[str, bytes]:
    if len(data) > MAX_PACKAGE_BYTES:
        raise PackageError(
            "oversized", f"package of {len(data)} bytes, at most {MAX_PACKAGE_BYTES}"
        )
    try:
        return read_members(data)
    except ArchiveError as error:
        raise PackageError("bad_archive", str(error)) from error


def _read_golden(data: bytes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    arrays = _read_arrays(data, _GOLDEN, GOLDEN, "bad_golden")
    with np.errstate(over="ignore"):
        windows, ratios = (array.astype(np.float32) for array in arrays.values())
    _check_finite({"windows": windows, "ratios": ratios}, GOLDEN)
    return windows, ratios


def _read_population(data: bytes | None, features: int) -> Population | None:
    if data is None:
        return None
    arrays = _read_arrays(data, POPULATION_ARRAYS, POPULATION, "bad_population")
    try:
        return population_of(arrays, features)
    except GustbedError as error:
        raise PackageError("bad_population", f"{POPULATION}: {error}") from error


def _read_arrays(
    data: bytes, names: Sequence[str], where: str, reason: str
) -> dict[str, NDArray[np.float64]]:
    """Arrays by name. They lie in the file as they are, so that none is larger than it."""
    directory = data[-_END.size :]
    try:
        signature, *_, count, size, _, comment = _END.unpack(directory)
        if signature != b"PK\5\6" or count != len(names) or comment:
            raise ValueError(f"not {len(names)} arrays")
        if size > MAX_DIRECTORY_BYTES:
            raise ValueError("more in it than its arrays")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            arrays = {name: _read_array(archive, f"{name}.npy") for name in names}
    except _UNREADABLE as error:
        raise PackageError(reason, f"{where}: {error}") from error
    _check_finite(arrays, where)
    return arrays


def _check_finite(arrays: Mapping[str, NDArray[np.floating]], where: str) -> None:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise PackageError("not_finite", f"{where}: {name} are not finite")


def _read_array(archive: zipfile.ZipFile, name: str) -> NDArray[np.float64]:
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise ValueError(f"{name} is compressed")
    data = archive.read(info)
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is of another format")
    shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream)
    start = stream.tell()
    if dtype.kind != "f" or math.prod(shape) * dtype.itemsize != len(data) - start:
        raise ValueError(f"{name} is not what it says")
    array = np.frombuffer(data, dtype, offset=start)
    return array.reshape(shape, order="F" if by_column else "C").astype(np.float64)


def _check_manifest(manifest: Manifest) -> None:
    if manifest.schema != SCHEMA:
        raise PackageError("wrong_schema", f"package schema {manifest.schema}, not {SCHEMA}")
    check_name(manifest.name)
    version_key(manifest.version)
    _check_signals(manifest)
    if not 1 <= manifest.window <= MAX_WINDOW or manifest.step < 1:
        raise PackageError("bad_manifest", f"window must be 1 to {MAX_WINDOW}, step above 0")
    if not 0 < manifest.sample_rate_hz < math.inf:
        raise PackageError("bad_manifest", "sample_rate_hz must be above 0")
    decision = manifest.decision
    if min(decision.open_after, decision.close_after, decision.smooth) < 1:
        raise PackageError("bad_manifest", "decision: counts must be 1 or more")
    _check_figures(manifest)
    if manifest.thresholds.keys() != set(manifest.feature_names) or not all(
        math.isfinite(value) and value > 0 for value in manifest.thresholds.values()
    ):
        raise PackageError("bad_manifest", "thresholds: one above 0 for each feature")
    _check_violations(manifest)


def _check_figures(manifest: Manifest) -> None:
    for name, value in (manifest.thresholds | manifest.metrics).items():
        if not math.isfinite(value):
            raise PackageError("not_finite", f"{MANIFEST}: {name} is {value}")
    for name, learnt in manifest.reference.items():
        if not all(map(math.isfinite, (learnt.mean, learnt.std, *learnt.quantiles))):
            raise PackageError("not_finite", f"{MANIFEST}: reference of {name} is not finite")


def _check_signals(manifest: Manifest) -> None:
    try:
        level(manifest.turbine_type)
    except ValueError as error:
        raise PackageError("bad_manifest", f"turbine_type: {error}") from error
    for what, names, most in (
        ("channels", manifest.channel_names, MAX_CHANNELS),
        ("features", manifest.feature_names, MAX_FEATURES),
    ):
        if not 1 <= len(names) <= most or len(set(names)) != len(names):
            raise PackageError("wrong_features", f"{what}: 1 to {most}, each named once")
    try:
        Engineer(manifest.features, manifest.channel_names)
    except GustbedError as error:
        raise PackageError("wrong_features", str(error)) from error


def _check_violations(manifest: Manifest) -> None:
    names = set(manifest.feature_names)
    for kind, features in manifest.violations.items():
        if not _KIND.fullmatch(kind):
            raise PackageError("bad_manifest", f"violation {kind[:40]!r}: use a-z, 0-9 and '_'")
        if not features or not set(features) <= names:
            raise PackageError("bad_manifest", f"violation {kind}: unknown or no features")
    silent = names.difference(*manifest.violations.values())
    if silent:
        raise PackageError("bad_manifest", f"violations: none for feature {sorted(silent)[0]!r}")
