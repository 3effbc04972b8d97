"""The benchmark's counts follow from what an evaluation tells, and add up over files."""

import pytest

from bench.skab import Counts, counts_of


def _evaluation(recall: float | None, false_alarms: float, verdicts: int, hours: float) -> dict:
    return {
        "pointwise": {"recall": recall, "false_alarm_rate": false_alarms},
        "verdicts": verdicts,
        "turbine_hours_without_faults": hours,
    }


def test_counts_follow_from_shares() -> None:
    counts = counts_of(_evaluation(0.75, 0.1, 700, 300 / 3600))
    assert counts == Counts(300, pytest.approx(30), 100, pytest.approx(270))
    assert counts.false_alarm_rate == pytest.approx(0.1)
    assert counts.missed_alarm_rate == pytest.approx(0.25)
    assert counts.f1 == pytest.approx(600 / 730)


def test_files_are_pooled_by_rows_and_not_by_their_shares() -> None:
    long = counts_of(_evaluation(1.0, 0.0, 900, 100 / 3600))
    short = counts_of(_evaluation(0.0, 0.0, 200, 100 / 3600))
    assert (long + short).missed_alarm_rate == pytest.approx(100 / 900)


def test_a_file_without_faults_has_false_alarms_only() -> None:
    counts = counts_of(_evaluation(None, 0.2, 100, 100 / 3600))
    assert counts.false_positive == pytest.approx(20)
    assert counts.f1 == 0.0
