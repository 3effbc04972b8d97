"""A model with numbers that are none can accuse nobody: it is refused, wherever they are."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gustbed_core.onnx_weights import WeightsError, check_weights
from gustbed_core.package import Distribution, PackageError, read_package, write_package
from tests.support.packages import THRESHOLDS, tiny_graph, tiny_package

BAD = [np.nan, np.inf, -np.inf]
Model = onnx.ModelProto


def refusal(tmp_path: Path, **changes: Any) -> PackageError:
    data = write_package(replace(tiny_package(), **changes), tmp_path / "p.tar.gz")
    with pytest.raises(PackageError) as refused:
        read_package(data)
    return refused.value


@pytest.mark.promise("O4")
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("which", ["golden_ratios", "golden_windows"])
def test_golden_values_that_are_not_finite_are_refused(
    which: str, bad: float, tmp_path: Path
) -> None:
    values = getattr(tiny_package(), which).copy()
    values.flat[3] = bad
    assert refusal(tmp_path, **{which: values}).reason == "not_finite"


def test_golden_values_that_overflow_are_refused(tmp_path: Path) -> None:
    huge = np.full((4, 6), 1e300)
    assert refusal(tmp_path, golden_ratios=huge).reason == "not_finite"


@pytest.mark.parametrize("figure", ["NaN", "Infinity", "1e999", "null", "-1e999"])
@pytest.mark.parametrize("where", ["threshold", "metric", "reference"])
def test_figures_that_are_not_finite_are_refused(where: str, figure: str, tmp_path: Path) -> None:
    marker = 123456.5
    manifest = tiny_package().manifest
    changed = {
        "threshold": {"thresholds": dict(THRESHOLDS) | {"rps": marker}},
        "metric": {"metrics": {"vus_pr": marker}},
        "reference": {"reference": {"rps": Distribution(marker, 1.0, [0.0] * 11)}},
    }[where]
    package = replace(tiny_package(), manifest=replace(manifest, **changed))  # type: ignore[arg-type]
    raw = gzip.decompress(write_package(package, tmp_path / "p.tar.gz"))
    assert raw.count(b"123456.5") == 1
    data = gzip.compress(raw.replace(b"123456.5", figure.ljust(8).encode()))
    with pytest.raises(PackageError) as refused:
        read_package(data)
    assert refused.value.reason in ("not_finite", "bad_manifest")


def graph() -> Model:
    return onnx.load_from_string(tiny_graph())


def initialiser(bad: float) -> Model:
    model = graph()
    model.graph.initializer[0].CopyFrom(
        numpy_helper.from_array(np.full(6, bad, np.float32), "limits")
    )
    return model


def typed(kind: int) -> Callable[[float], Model]:
    """In the fields that are typed, rather than as raw bytes."""

    def make(bad: float) -> Model:
        model = graph()
        model.graph.initializer.append(helper.make_tensor("spare", kind, [2], [1.0, bad]))
        return model

    return make


def half(bad: float) -> Model:
    model = graph()
    values = np.array([1.0, bad], np.float16)
    model.graph.initializer.append(numpy_helper.from_array(values, "spare"))
    return model


def constant(bad: float) -> Model:
    model = graph()
    value = numpy_helper.from_array(np.array([bad]))
    model.graph.node.append(helper.make_node("Constant", [], ["spare"], value=value))
    return model


def scalar(bad: float) -> Model:
    model = graph()
    model.graph.node.append(helper.make_node("Constant", [], ["spare"], value_float=bad))
    return model


def several(bad: float) -> Model:
    model = graph()
    model.graph.node.append(helper.make_node("Constant", [], ["spare"], value_floats=[1.0, bad]))
    return model


def nested(bad: float) -> Model:
    model = graph()
    inner = initialiser(bad).graph
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=inner))
    return model


def function(bad: float) -> Model:
    model = graph()
    node = helper.make_node("Constant", [], ["spare"], value_float=bad)
    opset = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "f", [], ["spare"], [node], opset))
    return model


def sparse(bad: float) -> Model:
    model = graph()
    values = numpy_helper.from_array(np.array([bad], np.float32), "spare")
    places = numpy_helper.from_array(np.array([0], np.int64), "places")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4]))
    return model


MAKERS: list[Callable[[float], Model]] = [
    initialiser,
    typed(TensorProto.FLOAT),
    typed(TensorProto.DOUBLE),
    typed(TensorProto.FLOAT16),
    typed(TensorProto.BFLOAT16),
    half,
    constant,
    scalar,
    several,
    nested,
    function,
    sparse,
]


@pytest.mark.promise("O4")
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("make", MAKERS)
def test_weights_that_are_not_finite_are_refused_wherever_they_are(
    make: Callable[[float], Model], bad: float
) -> None:
    check_weights(make(1.5).SerializeToString())
    with pytest.raises(WeightsError, match="not finite"):
        check_weights(make(bad).SerializeToString())


def test_a_package_with_such_weights_is_refused(tmp_path: Path) -> None:
    found = refusal(tmp_path, model=initialiser(np.nan).SerializeToString())
    assert (found.reason, "'limits'" in found.detail) == ("not_finite", True)


def test_integers_and_texts_are_no_matter() -> None:
    model = graph()
    for values in (np.array([-1, 2], np.int64), np.array([True]), np.array([255], np.uint8)):
        model.graph.initializer.append(numpy_helper.from_array(values, "spare"))
    model.graph.initializer.append(
        onnx.TensorProto(name="text", data_type=TensorProto.STRING, string_data=[b"x"])
    )
    check_weights(model.SerializeToString())


def test_weights_outside_the_package_are_refused() -> None:
    model = graph()
    tensor = model.graph.initializer.add(name="far", data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(WeightsError, match="outside the package"):
        check_weights(model.SerializeToString())


def test_weights_of_a_type_that_cannot_be_read_are_refused() -> None:
    model = graph()
    model.graph.initializer.add(name="odd", data_type=TensorProto.FLOAT8E5M2, raw_data=b"\x7f")
    with pytest.raises(WeightsError, match="not supported"):
        check_weights(model.SerializeToString())


def test_graphs_without_end_are_refused() -> None:
    model = graph()
    inner = model.graph
    for _ in range(14):
        outer = onnx.GraphProto(name="g")
        outer.node.append(helper.make_node("If", ["x"], ["y"], then_branch=inner))
        inner = outer
    deep = onnx.ModelProto()
    deep.graph.CopyFrom(inner)
    with pytest.raises(WeightsError, match="within each other"):
        check_weights(deep.SerializeToString())


@pytest.mark.promise("S5")
def test_every_cut_and_garbage_ends_in_a_refusal_or_not_at_all() -> None:
    model = initialiser(1.0).SerializeToString()
    random = np.random.default_rng(5)
    for cut in range(1, len(model), 7):
        garbled = bytearray(model[:cut])
        garbled[random.integers(cut)] ^= int(random.integers(1, 256))
        for data in (model[:cut], bytes(garbled)):
            try:
                check_weights(data)
            except WeightsError:
                continue
