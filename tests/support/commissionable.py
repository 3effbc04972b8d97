"""A tiny model that can be commissioned, machines that differ from it, and a commissioner.

The model expects each feature at a centre; its error is the distance from it, by the mean of the
window and by that of its second half. Errors of a machine are linear in the wind.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from gustbed_core.codec import encode
from gustbed_core.commissioning.correction import uncorrected_ratios
from gustbed_core.commissioning.messages import (
    CommissionAck,
    CommissionCommand,
    CommissioningState,
)
from gustbed_core.commissioning.population import TERM_OUTPUTS, Population, Terms
from gustbed_core.errors import PayloadError
from gustbed_core.events import Verdict
from gustbed_core.package import INPUT, RATIO, SCORE, Package
from gustbed_edge.commissioning.commissioner import Commissioner
from gustbed_edge.commissioning.desk import Desk
from gustbed_edge.commissioning.site import Site
from gustbed_edge.commissioning.store import Store
from gustbed_edge.commissioning.trust import Patience
from gustbed_edge.disk import Disk
from tests.support.bench import TURBINES, Bench
from tests.support.packages import MINI_TYPE, PLACE, calm, tiny_package

FEATURES = MINI_TYPE.schema.feature_names
CENTRE = {"wind_speed_rps": 3.0, "rps": 2.0, "voltage": 100.0}
USUAL = {"wind_speed_rps": 100.0, "voltage": 1.0}
LIMIT = 3.0
BEYOND = 1000.0
WIND_STD = 0.5
SLOPE_STD, OFFSET_STD = 2.0, 4.0
"""Of a machine's coefficients, in usual errors."""
HEADS = (0, 1)
HOURS = 0.05
"""Of a period: 360 verdicts of a miniature."""
WANTED = 360
PATIENCE = Patience(60.0, 1800.0)
"""As an edge has it by default."""
AT_ONCE = 10
"""Blocks of each turbine in a batch, as a commissioner may have behind when it is busy."""


def commissionable(version: str = "1.0.0", *, centre: float = 100.0, **changes: Any) -> Package:
    """The package; ``centre`` is the voltage that it expects: another makes it another model."""
    package = tiny_package(version, **changes)
    centres = np.array([{**CENTRE, "voltage": centre}.get(name, 0.0) for name in FEATURES])
    model = graph(centres)
    package = replace(package, model=model, population=population())
    terms = terms_of(package.golden_windows, centres)
    return replace(package, golden_ratios=uncorrected_ratios(terms, population().explains))


def population() -> Population:
    """How those machines differ."""
    usual = usual_errors()
    shape = len(FEATURES), len(HEADS)
    spread = np.diag([OFFSET_STD**2, SLOPE_STD**2])
    covariance = usual[:, None, None, None] ** 2 * spread
    return Population(
        np.zeros((*shape, 2)),
        np.repeat(covariance, 2, axis=1),
        np.ones(shape, dtype=np.float32),
        np.full((shape[0], 2), 24.0, dtype=np.float32),
        # In usual errors, as the doubt is measured against them: less wind, and more.
        np.stack(
            [
                basis * (np.ones((*shape, 2)) / usual[:, None, None])
                for basis in (np.array([1.0, -1.0]), np.array([1.0, 1.0]))
            ]
        ).astype(np.float32),
        np.array(HEADS),
        np.zeros((shape[0], shape[0]), dtype=np.float32),
    )


def usual_errors() -> NDArray[np.float64]:
    """Of each feature."""
    return np.array([USUAL.get(name, 0.1) for name in FEATURES])


def terms_of(windows: NDArray[np.float32], centres: NDArray[np.float64]) -> Terms:
    """What the graph gives, in NumPy."""
    mean = windows.mean(axis=2)
    late = windows[:, :, windows.shape[2] // 2 :].mean(axis=2)
    error = np.stack([mean - centres, late - centres], axis=2).astype(np.float32)
    wind = (mean[:, FEATURES.index("wind_speed_rps")] - 3.0) / WIND_STD
    ones = np.ones_like(mean)
    return Terms(
        error,
        np.broadcast_to(usual_errors()[:, None], error.shape).astype(np.float32),
        np.stack([ones, ones * wind[:, None]], axis=2).astype(np.float32),
        np.full(error.shape, LIMIT, dtype=np.float32),
        (np.abs(mean) / BEYOND).astype(np.float32),
    )


def graph(centres: NDArray[np.float64], outputs: Iterable[str] = TERM_OUTPUTS) -> bytes:
    """The graph as bytes, with these outputs besides score and ratio."""
    constants: dict[str, NDArray[Any]] = {
        "centres": centres.astype(np.float32)[:, None],
        "usuals": usual_errors().astype(np.float32)[:, None],
        "limits": np.array([[LIMIT]], dtype=np.float32),
        "far": np.array(BEYOND, dtype=np.float32),
        "three": np.array(3.0, dtype=np.float32),
        "spread": np.array(WIND_STD, dtype=np.float32),
        "half": np.array([10], dtype=np.int64),
        "end": np.array([10_000], dtype=np.int64),
        "time": np.array([2], dtype=np.int64),
        "place": np.array([FEATURES.index("wind_speed_rps")], dtype=np.int64),
        "one": np.array(1.0, dtype=np.float32),
        "zero": np.array(0.0, dtype=np.float32),
    }
    node = helper.make_node
    nodes = [
        node("ReduceMean", [INPUT], ["mean"], axes=[2], keepdims=1),
        node("Slice", [INPUT, "half", "end", "time"], ["second"]),
        node("ReduceMean", ["second"], ["late"], axes=[2], keepdims=1),
        node("Concat", ["mean", "late"], ["both"], axis=2),
        node("Sub", ["both", "centres"], ["error"]),
        node("Mul", ["error", "zero"], ["nothing"]),
        node("Add", ["nothing", "usuals"], ["usual"]),
        node("Add", ["nothing", "limits"], ["limit"]),
        node("Mul", ["mean", "zero"], ["flat"]),
        node("Add", ["flat", "one"], ["ones"]),
        node("Gather", ["mean", "place"], ["wind"], axis=1),
        node("Sub", ["wind", "three"], ["windy"]),
        node("Div", ["windy", "spread"], ["regime"]),
        node("Add", ["flat", "regime"], ["regimes"]),
        node("Concat", ["ones", "regimes"], ["basis"], axis=2),
        node("Abs", ["mean"], ["size"]),
        node("Div", ["size", "far"], ["away"]),
        node("Squeeze", ["away", "time"], ["beyond"]),
        node("Abs", ["error"], ["distance"]),
        node("Mul", ["usual", "limit"], ["allowed"]),
        node("Div", ["distance", "allowed"], ["shares"]),
        node("ReduceMax", ["shares"], ["worst"], axes=[2], keepdims=0),
        node("Max", ["worst", "beyond"], [RATIO]),
        node("Identity", [RATIO], [SCORE]),
    ]
    shapes: dict[str, list[str | int | None]] = {
        name: ["n", len(FEATURES), 2] for name in ("error", "usual", "basis", "limit")
    }
    shapes |= {name: ["n", len(FEATURES)] for name in ("beyond", RATIO, SCORE)}
    info = helper.make_tensor_value_info
    made = helper.make_graph(
        nodes,
        "commissionable",
        [info(INPUT, TensorProto.FLOAT, ["n", len(FEATURES), "time"])],
        [info(name, TensorProto.FLOAT, shapes[name]) for name in (SCORE, RATIO, *outputs)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@dataclass
class Machine:
    """A miniature in changing wind. ``offset`` and ``slope`` are its voltage's, from the model's
    expectation, ``noise`` how it strays; ``gusts`` whether the wind changes at all.
    """

    offset: float = 0.0
    slope: float = 0.0
    noise: float = 0.2
    gusts: bool = True
    chance: np.random.Generator = field(default_factory=lambda: np.random.default_rng(5))

    def values(self, samples: int = 10) -> NDArray[np.float64]:
        """The next block."""
        values = calm(samples)
        regime = self.chance.normal() if self.gusts else 0.0
        values[PLACE["wind_speed_rps"]] = 3.0 + WIND_STD * regime
        stray = self.chance.normal(0, self.noise)
        values[PLACE["voltage"]] = 100.0 + self.offset + self.slope * regime + stray
        return values


class Commissioned(Bench):
    """A bench with a commissioner that takes a turn when it is told to."""

    def __init__(
        self,
        folder: Path,
        *packages: Package,
        patience: Patience = PATIENCE,
        turbines: Any = TURBINES,
    ) -> None:
        self.desk = Desk()
        self.disk = Disk()
        self.now = 1_000_000.0
        self.answers: list[CommissionAck] = []
        self.rejected: list[PayloadError] = []
        self.folder = folder / "commissioning"
        super().__init__(folder, *packages, desk=self.desk)
        site = Site(
            turbines,
            self.scorer.presence,
            self.tracker.open_kinds,
            self.answers.append,
            lambda _topic, _payload, error: self.rejected.append(error),
        )
        self.commissioner = Commissioner(
            site,
            self.desk,
            Store(self.folder, self.disk),
            patience=patience,
            clock=lambda: self.now,
        )
        self.commissioner.turn()

    def run(self, count: int, /, **machines: Machine) -> list[Verdict]:
        """Score so many blocks of each machine; return their verdicts."""
        told: list[Verdict] = []
        for first in range(0, count, AT_ONCE):
            blocks = [
                self.block(name, machine.values())
                for _ in range(min(AT_ONCE, count - first))
                for name, machine in machines.items()
            ]
            told += self.score(*blocks).verdicts
            self.commissioner.turn()
        return told

    def ask(self, action: Any, *turbines: str, **options: Any) -> CommissionAck:
        """Send a command and return its answer."""
        command = CommissionCommand(action, list(turbines), **{"hours": HOURS, **options})
        self.commissioner.receive("t", encode(command))
        self.commissioner.turn()
        return self.answers[-1]

    def standing(self, turbine: str) -> CommissioningState:
        """How a turbine stands."""
        state = self.commissioner.states[TURBINES.index(turbine)]
        assert state is not None
        return state
