"""The benchmark adds up rows, not shares, and tells them as its leaderboard does."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench import skab


def _evaluation(right: int, false: int, missed: int, quiet: int) -> str:
    counts = {
        "true_positive": right,
        "false_positive": false,
        "false_negative": missed,
        "true_negative": quiet,
    }
    return json.dumps({"pointwise": {"counts": counts}})


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What each dataset's evaluation says; training is left out."""
    found: dict[str, str] = {}

    def training(*arguments: Any, made: Path | None = None) -> str:
        if arguments[0] != "evaluate":
            return ""
        return found[arguments[arguments.index("--data") + 1].name]

    monkeypatch.setattr(skab, "_training", training)
    return found


def _row(*files: str) -> skab.Row:
    paths = [Path(f"{name}.csv") for name in files]
    (row,) = skab.rows(paths, ["dynamic"], ["run"], Path("map.yaml"))
    return row


def test_files_are_pooled_by_rows_and_not_by_their_shares(judged: dict[str, str]) -> None:
    judged |= {"long": _evaluation(800, 0, 0, 100), "short": _evaluation(0, 30, 100, 70)}
    row = _row("long", "short")
    assert row.missed_alarm_rate == pytest.approx(100 / 900, abs=1e-3)
    assert row.false_alarm_rate == pytest.approx(30 / 200, abs=1e-3)
    assert row.f1 == pytest.approx(1600 / (1600 + 100 + 30), abs=1e-3)
    assert row.rows == 1100
    assert row.files["long"] == (1.0, 0.0, 0.0)


def test_a_file_without_faults_has_false_alarms_only(judged: dict[str, str]) -> None:
    judged["calm"] = _evaluation(0, 20, 0, 80)
    row = _row("calm")
    assert (row.f1, row.false_alarm_rate, row.missed_alarm_rate) == (0.0, 0.2, 0.0)
