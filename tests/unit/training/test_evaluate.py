"""Evaluation counts what the edge would open, by hand-made verdicts."""

import json
from dataclasses import replace

import numpy as np
import pytest

from gustbed_protocol.features import FEATURE_NAMES, FEATURES
from gustbed_protocol.violations import Violation
from gustbed_training.evaluate import Evaluation, evaluate
from gustbed_training.recordings import SAMPLE_RATE_HZ
from gustbed_training.report import as_json, as_metrics, as_table
from gustbed_training.windows import STEP, WINDOW, whole, window_ends
from tests.unit.training.synthetic import recording

FAULT = (Violation.VOLTAGE, 60.0, 90.0)


def _judge(accused: dict[str, list[tuple[float, float]]], fault: bool = True) -> Evaluation:
    """Evaluate a recording of 3 minutes whose verdicts accuse features for spans of seconds."""
    one = recording(1, minutes=3, fault=FAULT if fault else None)
    seconds = (window_ends(whole(one)) + 1) / SAMPLE_RATE_HZ

    def score(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ratios = np.zeros((len(windows), len(FEATURES)), dtype=np.float32)
        for name, spans in accused.items():
            for begin, end in spans:
                on = (seconds >= begin) & (seconds < end)
                ratios[on, FEATURE_NAMES.index(name)] = 2.0
        return ratios, ratios

    return evaluate([one], score)


def test_a_fault_found_once_and_closed_is_exactly_one_event() -> None:
    result = _judge({"voltage": [(62.0, 94.0)]})
    found = result.injections[Violation.VOLTAGE, 1.0]
    assert (found.faults, found.detected, found.exactly_one, found.cross_talk) == (1, 1, 1, 0)
    # The fourth verdict in a row, 0.5 s apart.
    assert found.delays == [pytest.approx(3.5, abs=0.5)]
    assert sum(result.false_events.values()) == 0
    points = result.points[Violation.VOLTAGE]
    assert points.precision == 1.0
    assert points.recall == pytest.approx(28 / 30, abs=0.02)


def test_a_fault_found_twice_is_not_exactly_one() -> None:
    found = _judge({"voltage": [(62, 70), (80, 90)]}).injections[Violation.VOLTAGE, 1.0]
    assert (found.detected, found.exactly_one) == (1, 0)


def test_an_event_of_another_kind_is_cross_talk() -> None:
    result = _judge({"voltage": [(62, 90)], "yaw": [(65, 75)]})
    found = result.injections[Violation.VOLTAGE, 1.0]
    assert (found.exactly_one, found.cross_talk) == (0, 1)
    assert result.points[Violation.VIBRATION].precision == 0.0
    assert sum(result.false_events.values()) == 0


def test_an_event_without_a_fault_is_false_and_counted_by_the_day() -> None:
    result = _judge({"rps": [(10, 20)]}, fault=False)
    assert result.false_events[Violation.ROTATION] == 1
    hours = (180 - WINDOW / SAMPLE_RATE_HZ + STEP / SAMPLE_RATE_HZ) / 3600
    assert result.turbine_hours == pytest.approx(hours, rel=0.01)
    assert result.false_events_per_turbine_day == pytest.approx(24 / hours, rel=0.01)


def test_a_missed_fault_is_missed() -> None:
    result = _judge({})
    found = result.injections[Violation.VOLTAGE, 1.0]
    assert (found.faults, found.detected, found.delays) == (1, 0, [])
    assert result.points[Violation.VOLTAGE].f1 == 0.0


def test_a_flicker_after_a_fault_counts_neither_way() -> None:
    result = _judge({"voltage": [(60.5, 92)]})
    assert result.points[Violation.VOLTAGE].precision == 1.0


def test_reports_hold_the_same_figures() -> None:
    result = _judge({"voltage": [(62, 94)]})
    told = json.loads(json.dumps(as_json(result), allow_nan=False))
    (fault,) = told["faults"]
    assert fault["kind"] == "voltage"
    assert fault["exactly_one_event"] == 1
    assert told["false_events"] == dict.fromkeys(map(str, Violation), 0)
    assert as_metrics(result)["voltage_exactly_one_event"] == 1.0
    assert "rotation_f1" not in as_metrics(result)
    assert told["verdicts"]["rotation"] == {"precision": None, "recall": None, "f1": None}
    table = as_table(result)
    assert f"{fault['median_delay_s']:.1f}" in table
    assert "0 false events" in table


def test_a_recording_shorter_than_a_window_says_nothing() -> None:
    one = recording(1, minutes=1)
    short = replace(
        one, values=one.values[:, :50], severity={k: v[:50] for k, v in one.severity.items()}
    )
    result = evaluate([short], lambda windows: (np.zeros((0, 6), np.float32),) * 2)
    assert result.turbine_hours == 0.0
