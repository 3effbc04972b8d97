"""Model packages for tests: a tiny graph, its golden vectors, a release signed by a test's key.

The model scores a feature by the mean of its absolute values over the window; the ratio is that
over the feature's threshold. So a test can say what a verdict must be.
"""

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from gustbed_core import event_kinds
from gustbed_core.archive import MANIFEST, read_members
from gustbed_core.features import Feature
from gustbed_core.gate_report import GateReport, SignedReport
from gustbed_core.jobs import (
    PACKAGE_FILE,
    RELEASE_FILE,
    VALID_SECONDS,
    Release,
    Signature,
    release_to_json,
)
from gustbed_core.package import (
    INPUT,
    RATIO,
    SCORE,
    Manifest,
    Package,
    read_package,
    seal_package,
    sha256,
    write_package,
)
from gustbed_core.signals import ChannelSpec, Decision
from gustbed_core.telemetry import MINI, Samples
from gustbed_core.turbine_types import load_type
from tests.support.paths import ROOT

MINI_TYPE = load_type(MINI)
CHANNELS = MINI_TYPE.channel_names
"""Of a miniature's block."""
PLACE = {name: place for place, name in enumerate(CHANNELS)}
SHIPPED = ROOT / "services" / "edge" / "gustbed_edge" / "factory" / "windturbine"
THRESHOLDS: Mapping[str, float] = {
    "roll": 0.5,
    "pitch": 0.5,
    "yaw": 0.5,
    "wind_speed_rps": 10.0,
    "rps": 10.0,
    "voltage": 500.0,
}
"""By default a turbine that ``calm`` describes is far below, and ``excited`` above, in voltage."""
MILL = "mill"
"""A turbine type of tests."""
MILL_CHANNELS = ("current", "rotor", "shaft")
MILL_THRESHOLDS: Mapping[str, float] = {"current": 50.0, "slip": 1.0}
Constant = NDArray[Any]
GROUP = "gustbed-edges"
"""The fleet's thing group."""
_ORDERS = itertools.count(1)
BREAKING_VOLTAGE = 1000.0
"""A window that reaches this makes a ``breakable`` model's run fail."""


@dataclass(frozen=True)
class SigningKey:
    """A key pair that signs releases, as the cloud's key service does."""

    key_id: str
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def sign(self, statement: Release | GateReport) -> Signature:
        """A signature over a release's statement or a gate's report."""
        der = self.private.sign(statement.digest(), ec.ECDSA(Prehashed(SHA256())))
        return Signature.from_bytes(der, self.key_id)

    def public_pem(self) -> bytes:
        """What the edge is given."""
        public = self.private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


PIPELINE = SigningKey("pipeline-of-tests")
"""Whose word on quality gates counts in tests."""


def write_passed(package: Package, path: Path, key: SigningKey = PIPELINE) -> bytes:
    """Write a package as a pipeline does that vouches for it; return its bytes."""
    archive = write_package(package, path)
    said = package.manifest
    manifest = sha256(read_members(archive)[MANIFEST])
    report = GateReport(said.name, said.version, manifest, said.training.get("gate", ""), "")
    sealed = seal_package(archive, SignedReport(report, key.sign(report)).to_json())
    path.write_bytes(sealed)
    return sealed


@dataclass(frozen=True)
class Signed:
    """A package as it travels."""

    release: Release
    signature: Signature
    archive: bytes


def tiny_graph(
    thresholds: Mapping[str, float] = THRESHOLDS, *, breakable: bool = False, delay: int = 0
) -> bytes:
    """The graph as bytes, for features in the thresholds' order. ``delay`` adds that many large
    matrix products, for a slow model.
    """
    limits = np.array(list(thresholds.values()), dtype=np.float32)
    nodes = [
        helper.make_node("Abs", [INPUT], ["absolute"]),
        helper.make_node("ReduceMean", ["absolute"], ["plain"], axes=[2], keepdims=0),
    ]
    constants: dict[str, Constant] = {"limits": limits}
    score = "plain"
    if breakable:
        score = _add_breaking(nodes, constants, score)
    if delay:
        score = _add_delay(nodes, constants, score, delay)
    nodes += [
        helper.make_node("Identity", [score], [SCORE]),
        helper.make_node("Div", [score, "limits"], [RATIO]),
    ]
    shape: list[str | int | None] = ["n", len(thresholds)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [*shape, "time"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in (SCORE, RATIO)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _add_breaking(nodes: list[onnx.NodeProto], constants: dict[str, Constant], score: str) -> str:
    """Look up an index that does not exist once any value reaches the breaking voltage."""
    constants |= {
        "breaking": np.array(BREAKING_VOLTAGE, dtype=np.float32),
        "zero": np.array([0.0], dtype=np.float32),
        "far": np.array(99, dtype=np.int64),
    }
    nodes += [
        helper.make_node("ReduceMax", ["absolute"], ["peak"], keepdims=0),
        helper.make_node("GreaterOrEqual", ["peak", "breaking"], ["breaks"]),
        helper.make_node("Cast", ["breaks"], ["flag"], to=TensorProto.INT64),
        helper.make_node("Mul", ["flag", "far"], ["index"]),
        helper.make_node("Gather", ["zero", "index"], ["nothing"], axis=0),
        helper.make_node("Add", [score, "nothing"], ["broken"]),
    ]
    return "broken"


def _add_delay(
    nodes: list[onnx.NodeProto],
    constants: dict[str, Constant],
    score: str,
    products: int,
) -> str:
    side = 700
    constants |= {
        "seed": np.full((side, side), 1e-6, dtype=np.float32),
        "none": np.array(0.0, dtype=np.float32),
    }
    # Depends on the input, or the optimiser would do the work once, when loading.
    nodes += [
        helper.make_node("ReduceMean", [score], ["level"], keepdims=0),
        helper.make_node("Add", ["seed", "level"], ["product0"]),
    ]
    nodes += [
        helper.make_node("MatMul", [f"product{i}", "seed"], [f"product{i + 1}"])
        for i in range(products)
    ]
    nodes += [
        helper.make_node("ReduceMean", [f"product{products}"], ["heat"], keepdims=0),
        helper.make_node("Mul", ["heat", "none"], ["cold"]),
        helper.make_node("Add", [score, "cold"], ["slow"]),
    ]
    return "slow"


def tiny_package(
    version: str = "1.0.0",
    *,
    name: str = "tiny",
    window: int = 20,
    rate: float = 20.0,
    model: bytes | None = None,
    thresholds: Mapping[str, float] = THRESHOLDS,
    **changes: Any,
) -> Package:
    """A package whose golden ratios are right for the tiny graph, whatever ``model`` is given.

    ``changes`` are to its manifest.
    """
    manifest = Manifest(
        name=name,
        version=version,
        created="2026-01-01T00:00:00Z",
        turbine_type=MINI,
        detector="tiny",
        channels=tuple(ChannelSpec(each.name, each.unit) for each in MINI_TYPE.channels),
        features=MINI_TYPE.schema.features,
        sample_rate_hz=rate,
        window=window,
        step=10,
        thresholds=dict(thresholds),
        violations=MINI_TYPE.schema.violations,
        training={"gate": "passed"},
    )
    manifest = replace(manifest, **changes)
    limits = np.array(list(thresholds.values()), dtype=np.float32)
    shape = (4, len(manifest.features), window)
    windows = np.random.default_rng(7).normal(size=shape).astype(np.float32)
    ratios = (np.abs(windows).mean(axis=2) / limits).astype(np.float32)
    return Package(manifest, model or tiny_graph(thresholds), windows, ratios)


def mill_package(
    version: str = "1.0.0",
    *,
    name: str = "mill",
    window: int = 5,
    thresholds: Mapping[str, float] = MILL_THRESHOLDS,
    **changes: Any,
) -> Package:
    """A package for another type of turbine, with other channels and one sample a second."""
    mill: dict[str, Any] = {
        "turbine_type": MILL,
        "channels": tuple(ChannelSpec(channel, "1") for channel in MILL_CHANNELS),
        "features": (
            Feature("current", "A"),
            Feature("slip", "1/s", "difference", ("rotor", "shaft")),
        ),
        "step": 1,
        "violations": {event_kinds.ELECTRICAL: ("current",), event_kinds.ROTATION: ("slip",)},
        "decision": Decision(open_after=2, close_after=3),
    }
    return tiny_package(
        version, name=name, window=window, rate=1.0, thresholds=thresholds, **(mill | changes)
    )


def mill_columns(
    count: int = 1, *, current: float = 10.0, slip: float = 0.1
) -> dict[str, list[float]]:
    """Columns of a mill's block: what its model reads and two more, in another order."""
    return {
        "weather": [3.0] * count,
        "shaft": [20.0] * count,
        "current": [current] * count,
        "rotor": [20.0 + slip] * count,
        "door": [0.0] * count,
    }


def sign_package(package: Package, key: SigningKey, folder: Path, **changes: object) -> Signed:
    """Write a package below ``folder`` and sign its release, of which ``changes`` are wrong."""
    archive = write_package(package, folder / f"{package.manifest.version}.tar.gz")
    release = Release(
        package.manifest.name, package.manifest.version, len(archive), sha256(archive)
    )
    release = replace(release, **changes)  # type: ignore[arg-type]
    return Signed(release, key.sign(release), archive)


def as_order(release: Release, **changes: Any) -> Release:
    """A release as the fleet is ordered to install it, later than any such order before.

    A real approval's order is later than all of these: it is numbered by the clock.
    """
    now = int(time.time())
    order = replace(
        release, sequence=next(_ORDERS), issued=now, expires=now + VALID_SECONDS, target=GROUP
    )
    return replace(order, **changes)


def order_package(package: Package, key: SigningKey, folder: Path, **changes: Any) -> Signed:
    """Write a package below ``folder`` and sign the order to install it, with such changes."""
    signed = sign_package(package, key, folder)
    release = as_order(signed.release, **changes)
    return Signed(release, key.sign(release), signed.archive)


def shipped_again(version: str, folder: Path) -> Path:
    """The miniatures' model that the edge ships with, as a package of another version."""
    shipped = read_package((SHIPPED / PACKAGE_FILE).read_bytes())
    path = folder / f"{shipped.manifest.name}-{version}.tar.gz"
    write_passed(replace(shipped, manifest=replace(shipped.manifest, version=version)), path)
    return path


def write_factory(folder: Path, signed: Signed, key: SigningKey) -> Path:
    """Lay a package out as one that the edge ships with; return the folder of them all."""
    place = folder / signed.release.name
    place.mkdir(parents=True, exist_ok=True)
    (place / PACKAGE_FILE).write_bytes(signed.archive)
    (place / RELEASE_FILE).write_bytes(release_to_json(signed.release, signed.signature))
    (place / "signing-key.pem").write_bytes(key.public_pem())
    return folder


def mini_block(
    turbine: str, boot: str, seq: int, t0: float, dt: float, values: NDArray[np.float64]
) -> Samples:
    """A miniature's block."""
    return Samples(turbine, boot, seq, t0, dt, values, MINI, CHANNELS)


def calm(samples: int = 10) -> NDArray[np.float64]:
    """Channels (channels, samples) of a turbine that the tiny model finds normal."""
    values = np.zeros((len(CHANNELS), samples))
    values[PLACE["qw"]] = 1.0
    values[PLACE["voltage"]] = 100.0
    values[PLACE["rps"]] = 2.0
    values[PLACE["wind_speed_rps"]] = 3.0
    return values


def excited(samples: int = 10, voltage: float = 900.0) -> NDArray[np.float64]:
    """The same with a voltage that the tiny model does not."""
    values = calm(samples)
    values[PLACE["voltage"]] = voltage
    return values
