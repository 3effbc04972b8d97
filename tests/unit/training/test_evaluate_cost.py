"""What a window costs, measured on a real graph."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from gustbed_core.errors import GustbedError
from gustbed_training.evaluation.cost import BATCH, microseconds_per_window


def _graph(multiplications: int) -> bytes:
    """Window (n, 8, 64) to score and ratio (n, 8), after so many products with a matrix."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [64, 64], np.eye(64).ravel().tolist())
    nodes, last = [], "window"
    for i in range(multiplications):
        nodes.append(helper.make_node("MatMul", [last, "w"], [f"m{i}"]))
        last = f"m{i}"
    nodes += [
        helper.make_node("ReduceMean", [last], ["score"], axes=[2], keepdims=0),
        helper.make_node("Identity", ["score"], ["ratio"]),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, ["n", 8, 64])],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, ["n", 8]) for o in ("score", "ratio")],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def test_more_work_costs_more() -> None:
    windows = np.random.default_rng(0).normal(0, 1, (3, 8, 64)).astype(np.float32)
    little = microseconds_per_window(_graph(1), windows, repeats=9)
    much = microseconds_per_window(_graph(60), windows, repeats=9)
    assert 0 < little < much


def test_any_number_of_windows_fills_the_batch() -> None:
    windows = np.zeros((BATCH + 5, 8, 64), dtype=np.float32)
    assert microseconds_per_window(_graph(1), windows, repeats=1) > 0


def test_without_a_window_there_is_nothing_to_time() -> None:
    with pytest.raises(GustbedError, match="no window"):
        microseconds_per_window(_graph(1), np.empty((0, 8, 64), dtype=np.float32))
