"""What a shadow model's counts mean, how its scores are laid beside the serving ones."""

import re

import numpy as np
import pytest

from gustbed_core.events import Comparison, ModelRef
from gustbed_dashboard.components import model_comparison, verdict_agreement
from gustbed_dashboard.site.turbine_buffers import Scores
from gustbed_dashboard.views.comparison import SECONDS, STEP, common

MODEL = ModelRef("nrel-5mw", "2.0.0")


def counts(both: int, neither: int, serving: int, shadow: int) -> Comparison:
    total = both + neither + serving + shadow
    return Comparison(MODEL, total, both, neither, serving, shadow)


@pytest.mark.parametrize(
    ("comparison", "said"),
    [
        (counts(0, 0, 0, 0), "has not judged anything"),
        (counts(0, 5000, 0, 0), "Neither called an anomaly"),
        (counts(9, 5000, 0, 0), "changes nothing here"),
        (counts(9, 5000, 2, 31), "The shadow model alone called 31 more"),
        (counts(9, 5000, 31, 2), "stayed silent on 31"),
        (counts(9, 5000, 10, 12), "differ both ways"),
    ],
)
def test_the_sentence_says_what_the_counts_mean(comparison: Comparison, said: str) -> None:
    assert said in verdict_agreement.meaning(comparison)


def test_few_verdicts_are_called_few() -> None:
    assert "wait for more" in verdict_agreement.meaning(counts(1, 20, 0, 0))
    assert "wait for more" not in verdict_agreement.meaning(counts(1, 2000, 0, 0))


def test_agreement_is_never_rounded_to_all() -> None:
    assert verdict_agreement.agreed(counts(1, 2, 1, 0)) == pytest.approx(0.75)
    assert "agree on over 99.9 %" in verdict_agreement.meaning(counts(10, 99_989, 1, 0))
    assert "agree on 100.0 %" in verdict_agreement.meaning(counts(10, 99_990, 0, 0))


def test_bars_and_table_tell_all_four_counts_also_in_words() -> None:
    bars, table = model_comparison.agreement(counts(4, 93, 2, 1)).split("<table")

    assert (
        'aria-label="All verdicts: neither 93, both 4, only serving 2, only shadow model 1"' in bars
    )
    assert bars.count('data-part="neither"') == 1, "what neither saw is no anomaly"
    for key, share in (("both", "4.0 %"), ("neither", "93.0 %"), ("serving", "2.0 %")):
        row = table.split(f'data-agreement="{key}"')[1].split("</tr>")[0]
        assert share in row


def test_a_shadow_model_that_has_seen_nothing_has_no_shares() -> None:
    html = model_comparison.agreement(counts(0, 0, 0, 0))

    assert "%" not in html
    assert "data-part" not in html


def test_the_better_figure_is_marked_where_less_is_better_too() -> None:
    beside = model_comparison.figures_beside(
        {"vus_pr": "0.91", "false_per_day": "0.06", "care": "0.8"},
        {"vus_pr": "0.93", "false_per_day": "0.2", "median_delay_s": "2"},
    )

    pieces = beside.split('data-figure="')[1:]
    best = {
        piece.split('"')[0]: re.findall(r'data-model-role="(\w+)" data-best="true"', piece)
        for piece in pieces
    }
    assert best == {
        "vus_pr": ["shadow"],
        "false_per_day": ["serving"],
        "care": [],
        "median_delay_s": [],
    }
    assert model_comparison.figures_beside({}, {}) == ""


def test_both_scores_lie_on_common_times_and_keep_their_peaks() -> None:
    mine = Scores(np.array([-1.3, -1.1, -0.1]), np.array([0.4, 2.0, 0.5]), {})
    other = Scores(np.array([-500.0, -0.9]), np.array([9.0, np.nan]), {})

    age, series = common(mine, other, "Shadow model 2")

    assert (age[0], age[-1]) == (STEP - SECONDS, 0.0)
    assert series["Serving"][-3:].tolist() == pytest.approx([2.0, np.nan, 0.5], nan_ok=True)
    assert np.isnan(series["Shadow model 2"]).all()
