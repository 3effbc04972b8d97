"""Trust in the factory's measure is won by calm and lost by alarms that nothing confirms."""

import numpy as np
import pytest

from gustbed_edge.commissioning.trust import FORGIVING, Patience, Trust

OPEN_AFTER = 3
SPAN = 0.5
PATIENCE = Patience(calm=5.0, alarm=20.0)
CALM, OVER = 0.5, 2.0


class Followed:
    """One watched turbine among three, with a verdict each half second."""

    def __init__(self, patience: Patience = PATIENCE, smooth: int = 1) -> None:
        self.trust = Trust(3, 2, smooth, OPEN_AFTER, patience)
        self.end = 1000.0
        self.trust.watch(1)

    def see(self, count: int, narrow: float, wide: float = CALM, row: int = 1) -> bool:
        """Take so many verdicts in one batch; whether trust was lost in it."""
        ends = self.end + np.arange(1.0, count + 1.0, dtype=np.float64) * np.float64(SPAN)
        self.end = float(ends[-1])
        ratios = np.full((count, 2), CALM, dtype=np.float32)
        widely = ratios.copy()
        ratios[:, 0], widely[:, 1] = narrow, wide
        told = self.trust.take(np.full(count, row), ends, ratios, widely)
        return row in told.doubted

    @property
    def doubt(self) -> float:
        """Seconds."""
        return float(self.trust.doubt[1])


def test_alarms_that_nothing_confirms_cost_trust_after_their_time() -> None:
    turbine = Followed()
    assert not turbine.see(40, OVER)
    assert turbine.doubt == pytest.approx(19.5)
    assert turbine.see(1, OVER)


def test_alarms_that_come_again_add_up_and_rare_ones_do_not() -> None:
    often, rarely = Followed(), Followed()
    lost = False
    for _ in range(100):
        lost = often.see(5, OVER) or often.see(95, CALM) or lost
        assert not rarely.see(1, OVER)
        assert not rarely.see(int(FORGIVING), CALM)
    assert lost
    assert rarely.doubt == 0


def test_a_fault_that_the_wide_measure_sees_never_costs_trust() -> None:
    turbine = Followed()
    assert not turbine.see(4000, OVER, OVER)
    assert turbine.doubt == 0


def test_a_wide_event_clears_what_was_before_and_a_single_wide_verdict_does_not() -> None:
    turbine = Followed()
    turbine.see(31, OVER)
    turbine.see(OPEN_AFTER - 1, OVER, OVER)
    assert turbine.doubt == pytest.approx(15.0)
    turbine.see(OPEN_AFTER, OVER, OVER)
    assert turbine.doubt == 0


def test_the_wide_run_goes_on_from_batch_to_batch() -> None:
    turbine = Followed()
    turbine.see(21, OVER)
    for _ in range(OPEN_AFTER):
        assert turbine.doubt > 0
        turbine.see(1, OVER, OVER)
    assert turbine.doubt == 0


def test_a_gap_counts_for_nothing_and_what_was_before_it_stays() -> None:
    turbine = Followed()
    turbine.see(21, OVER)
    turbine.end += 10_000
    turbine.trust.restart(np.array([1]))
    turbine.see(1, OVER)
    assert turbine.doubt == pytest.approx(10.0)


def test_others_are_not_doubted_and_patience_of_nought_never_ends() -> None:
    turbine = Followed()
    assert not turbine.see(1000, OVER, row=0)
    for patience in (Patience(5.0, 0.0), Patience(0.0, 20.0)):
        assert not Followed(patience).see(1000, OVER)


def test_ratios_are_smoothed_as_those_of_verdicts() -> None:
    turbine = Followed(smooth=4)
    turbine.see(4, CALM)
    for _ in range(20):
        turbine.see(1, 2.2)
        turbine.see(3, CALM)
    assert turbine.doubt == 0, "no mean of four is above 1"
