"""A turbine's commissioning is one line that says what holds and what to do."""

import pytest

from gustbed_cli.commands.commission import line_of
from gustbed_core.commissioning.messages import (
    CommissioningInfo,
    CommissioningState,
    CorrectionInfo,
)

CORRECTION = CorrectionInfo(
    "c1.0123abcd",
    "windturbine 1.4.0",
    1_764_288_000.0,
    24.0,
    960,
    {"voltage": 5.04, "rps": -0.31},
    {"roll": 1.2},
)


def test_a_correction_is_told_with_what_it_changed_and_what_it_promises() -> None:
    info = CommissioningInfo("wt01", CommissioningState("own", "c1.0123abcd"), CORRECTION)
    assert line_of(info) == (
        "its own correction c1.0123abcd (windturbine 1.4.0, 24 h, 2025-11-28 00:00:00 UTC): "
        "voltage by +5.0 usual errors, rps by -0.3 usual errors; limits widened: roll times 1.20; "
        "960 calm blocks, so that another one alarms with a probability of at most 1/961"
    )


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (None, "no model that can be commissioned"),
        (CommissioningState(), "not commissioned: judged as widely"),
        (CommissioningState(differs=True), "not commissioned: differs from its type, judged as"),
        (CommissioningState("factory"), "calm by their measure"),
        (CommissioningState(running=0.42), "a period runs, 42%"),
        (CommissioningState(refused="voltage changed"), "refused: voltage changed"),
        (CommissioningState(note="the model changed"), "the model changed"),
    ],
)
def test_how_a_turbine_stands_is_in_words(state: CommissioningState | None, said: str) -> None:
    assert said in line_of(CommissioningInfo("wt01", state))


def test_what_waits_says_how_to_accept_it() -> None:
    info = CommissioningInfo("wt01", CommissioningState(ready=True), waiting=CORRECTION)
    assert "gustbed commission accept" in line_of(info)
    assert "c1.0123abcd" in line_of(info)
