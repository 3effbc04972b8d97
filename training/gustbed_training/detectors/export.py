"""From PyTorch to one ONNX graph."""

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from gustbed_core.package import INPUT, RATIO, SCORE

_OPSET = 17


def to_onnx(model: nn.Module, features: int, window: int, also: Sequence[str] = ()) -> bytes:
    """Export with any batch size: ``window`` (n, features, window) to ``score`` and ``ratio``, and
    whatever the module gives ``also``.
    """
    outputs = [SCORE, RATIO, *also]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        written = Path(folder) / "model.onnx"
        # The newer exporter needs onnxscript and gains nothing for matrix products.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (torch.zeros(2, features, window),),
            written,
            input_names=[INPUT],
            output_names=outputs,
            dynamic_axes={name: {0: "n"} for name in (INPUT, *outputs)},
            opset_version=_OPSET,
            dynamo=False,
        )
        return written.read_bytes()
