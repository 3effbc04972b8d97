"""A detector's thresholds, and the graph that divides by them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gustbed_core.commissioning.population import TERM_OUTPUTS
from gustbed_core.signals import Schema
from gustbed_training.detectors.base import Thresholded
from gustbed_training.detectors.explaining import Explained
from gustbed_training.detectors.export import to_onnx
from gustbed_training.detectors.limits import limits_from_few, too_few
from gustbed_training.detectors.scoring import scorer
from gustbed_training.detectors.thresholds import Target, margins, threshold


def thresholds_of(
    module: nn.Module, held: Sequence[NDArray[np.float32]], schema: Schema, target: Target
) -> list[float]:
    """By feature, from held-out normal windows, one array per stretch of time.

    A detector that knows its own limit says so by the attribute ``own_limit`` of its module, one
    whose scores are already multiples of limits by ``strayed``: how far new recordings go.
    """
    strayed = getattr(module, "strayed", None)
    if strayed is not None:
        return margins(strayed, target)
    # The graph that will serve, and half the time that PyTorch takes.
    score = scorer(exported(module, [1.0] * len(schema.features), schema))
    scores = [score(windows)[0] for windows in held]
    if too_few(scores):
        return limits_from_few(scores, getattr(module, "own_limit", None))
    return [
        threshold(
            [each[:, i] for each in scores], target, schema.verdicts_per_hour, schema.decision
        )
        for i in range(len(schema.features))
    ]


def exported(module: nn.Module, thresholds: Sequence[float], schema: Schema) -> bytes:
    """The ONNX graph with its thresholds."""
    return to_onnx(Thresholded(module, thresholds).eval(), len(schema.features), schema.window)


def explained(module: nn.Module, thresholds: Sequence[float], schema: Schema) -> bytes:
    """The same of a module that tells its errors, which the graph then gives, too."""
    graph = Explained(module, thresholds).eval()
    return to_onnx(graph, len(schema.features), schema.window, TERM_OUTPUTS)
