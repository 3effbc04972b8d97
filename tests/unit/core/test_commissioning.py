"""A period tells what a model is wrong by on one machine, or why it cannot be believed."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gustbed_core.commissioning.correction import (
    Corrections,
    Sums,
    added,
    corrected_ratios,
    explained_away,
    posterior,
    prior,
    uncorrected_ratios,
)
from gustbed_core.commissioning.explain import largest_shifts
from gustbed_core.commissioning.normality import NotNormalError, Signs
from gustbed_core.commissioning.period import (
    BLOCK,
    FEWEST,
    Period,
    correction_from_bytes,
    correction_to_bytes,
    period_from_bytes,
    period_to_bytes,
)
from gustbed_core.commissioning.population import Population, Terms, joined
from gustbed_core.errors import GustbedError

FEATURES, TERMS, SIZE = ("speed", "power"), 3, 2
NO_DRIVERS = np.zeros((2, 2), dtype=np.float32)
HEADS = np.array([0, 1, 1])
SIGNS = Signs(FEATURES, open_after=4)
WANTED = 720


def population(spread: float = 4.0) -> Population:
    """Machines whose offset and slope differ by ``spread`` usual errors."""
    shape = len(FEATURES), TERMS
    covariance = np.zeros((2, 2, SIZE, SIZE))
    covariance[:] = np.diag([spread**2, spread**2])
    # Typical operation has gusts of 3, up and down.
    typical = np.ones((4, len(FEATURES), 2, SIZE), dtype=np.float32)
    typical[:, :, :, 1] = np.array([-3, -3, 3, 3])[:, None, None]
    noise = np.ones(shape, dtype=np.float32)
    alike = np.full((len(FEATURES), 2), 24.0, dtype=np.float32)
    mean = np.zeros((*shape, SIZE))
    return Population(mean, covariance, noise, alike, typical, HEADS, NO_DRIVERS)


def terms(
    count: int, offset: float = 0.0, slope: float = 0.0, *, seed: int = 0, gusts: float = 1.0
) -> Terms:
    """Verdicts of a machine: errors ψ'b and noise, of both features alike."""
    chance = np.random.default_rng(seed)
    basis = np.ones((count, len(FEATURES), SIZE), dtype=np.float32)
    basis[:, :, 1] = chance.normal(0, gusts, (count, 1))
    error = (offset + slope * basis[:, :, 1:]) + chance.normal(0, 0.3, (count, 2, TERMS))
    ones = np.ones((count, len(FEATURES), TERMS), dtype=np.float32)
    beyond = np.zeros((count, len(FEATURES)), dtype=np.float32)
    return Terms(error.astype(np.float32), ones, basis, 3 * ones, beyond)


def whole(*parts: Terms, of: Population | None = None, wanted: int = WANTED) -> Period:
    """A period that saw these parts."""
    known = of or population()
    period = Period.begin(known, wanted)
    for part in parts:
        period.add(part, known, SIGNS)
    return period


def ratios(seen: Terms, period: Period) -> np.ndarray:
    stacked = Corrections.of([period.result()], population())
    return corrected_ratios(seen, stacked, HEADS, NO_DRIVERS)


def test_a_machine_that_differs_is_as_calm_as_the_factorys_once_corrected() -> None:
    period = whole(terms(WANTED, offset=5.0, slope=1.5))
    fresh = terms(500, offset=5.0, slope=1.5, seed=1)
    assert (uncorrected_ratios(fresh, NO_DRIVERS) > 1).mean() > 0.8
    assert ratios(fresh, period).max() < 0.7
    np.testing.assert_allclose(period.result().mean[0, :, 0], 5.0, atol=0.3)
    np.testing.assert_allclose(period.result().mean[0, :, 1], 1.5, atol=0.3)


def test_a_fault_is_seen_through_the_correction() -> None:
    period = whole(terms(WANTED, offset=5.0))
    assert ratios(terms(500, offset=10.0, seed=1), period).min() > 1


def test_regimes_that_no_period_has_shown_are_judged_more_widely() -> None:
    period = whole(terms(WANTED, offset=1.0))
    near, far = terms(1, offset=4.0), terms(1, offset=4.0)
    far.basis[:, :, 1] = 30.0
    near.basis[:, :, 1] = 0.0
    assert ratios(far, period).max() < ratios(near, period).max()


def test_without_a_period_the_prior_is_as_wide_as_machines_differ() -> None:
    stacked = Corrections.of([prior(population())], population())
    seen = terms(500, offset=5.0)
    assert corrected_ratios(seen, stacked, HEADS, NO_DRIVERS).max() < 1
    assert corrected_ratios(terms(9, offset=40.0), stacked, HEADS, NO_DRIVERS).min() > 1


def test_one_correction_for_all_is_as_each_with_its_own() -> None:
    known = [posterior(population(), summed(terms(200, offset=i))) for i in range(3)]
    seen = terms(30)
    places = np.arange(30) % 3
    each = Corrections.of([known[place] for place in places], population())
    together = corrected_ratios(seen, each, HEADS, NO_DRIVERS)
    for i, one in enumerate(known):
        alone = corrected_ratios(
            seen.of(places == i), Corrections.of([one], population()), HEADS, NO_DRIVERS
        )
        np.testing.assert_allclose(together[places == i], alone, rtol=1e-5)


def test_no_correction_at_all_is_the_graphs_own_judgement() -> None:
    nothing = Corrections(
        np.zeros((1, 2, TERMS, SIZE), dtype=np.float32),
        np.zeros((1, 2, 2, SIZE, SIZE), dtype=np.float32),
        np.ones((1, 2), dtype=np.float32),
    )
    seen = terms(50, offset=2.0)
    np.testing.assert_allclose(
        corrected_ratios(seen, nothing, HEADS, NO_DRIVERS),
        uncorrected_ratios(seen, NO_DRIVERS),
        rtol=1e-6,
    )


def test_what_an_accused_driver_explains_is_not_accused() -> None:
    """The second feature is driven by the first, and not the other way round."""
    explains = np.array([[0, 0], [1, 0]], dtype=np.float32)
    ratios = np.array([[0.5, 3.0], [4.0, 3.0], [4.0, 8.0]], dtype=np.float32)
    np.testing.assert_allclose(
        explained_away(ratios, explains), [[0.5, 3.0], [4.0, 0.75], [4.0, 2.0]]
    )


def summed(seen: Terms) -> Sums:
    sums = Sums.empty(population().shape, 2)
    sums.add(seen, HEADS)
    return sums


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=6))
def test_sums_do_not_depend_on_how_verdicts_are_cut(cuts: list[int]) -> None:
    seen = terms(40, offset=2.0)
    edges = [0, *sorted(cuts), 40]
    parts = [seen.of(slice(a, b)) for a, b in pairwise(edges)]
    cut = added([summed(part) for part in parts])
    for name in ("moment", "product", "square"):
        np.testing.assert_allclose(getattr(cut, name), getattr(summed(seen), name), atol=1e-6)
    assert cut.count == 40
    np.testing.assert_array_equal(joined(parts).error, seen.error)


@pytest.mark.parametrize(
    ("reason", "parts"),
    [
        ("step", lambda: (terms(240), terms(480, offset=4.0, seed=1))),
        ("fault", lambda: (terms(480), terms(240, offset=8.0, seed=1))),
        ("implausible", lambda: (terms(WANTED, offset=40.0),)),
        ("regimes", lambda: (terms(WANTED, gusts=0.0),)),
    ],
)
@pytest.mark.promise("F3")
def test_a_period_that_is_not_normal_is_refused(
    reason: str, parts: Callable[[], tuple[Terms, ...]]
) -> None:
    with pytest.raises(NotNormalError) as refused:
        whole(*parts())
    assert refused.value.reason == reason
    assert refused.value.remedy
    assert "speed" in refused.value.what or "power" in refused.value.what


def test_what_the_weather_of_an_hour_is_worth_is_no_fault() -> None:
    # Machines that hardly differ: what is off by less than an error usually is tells nothing.
    alike = population(0.05)
    assert whole(terms(240), terms(480, offset=0.9, seed=1), of=alike).done
    assert whole(terms(WANTED, offset=0.9), of=alike).done
    with pytest.raises(NotNormalError, match="as far off"):
        whole(terms(WANTED, offset=60.0), of=alike)


def test_what_is_not_finite_is_no_normal_period() -> None:
    seen = terms(WANTED)
    seen.error[5] = np.inf
    with pytest.raises((NotNormalError, np.linalg.LinAlgError)), np.errstate(invalid="ignore"):
        whole(seen)


def test_a_period_is_as_long_as_it_was_wanted_and_counts_its_blocks() -> None:
    period = whole(terms(WANTED + 100))
    assert (period.count, period.done, period.blocks) == (WANTED, True, WANTED // 3 // BLOCK)
    short = whole(terms(WANTED - 1))
    assert not short.done
    with pytest.raises(GustbedError, match="not over"):
        short.result()
    with pytest.raises(GustbedError, match="too short"):
        Period.begin(population(), FEWEST - 1)


def test_thresholds_leave_room_above_the_calmest_and_are_never_below_the_factorys() -> None:
    calm = whole(terms(WANTED))
    assert (calm.result().room == 1).all()
    rough = whole(terms(480), terms(240, offset=2.8, seed=1))
    room = rough.result().room
    assert (room >= 1).all()
    assert room.max() > 1


@pytest.mark.parametrize("count", [0, 100, 500, WANTED])
def test_a_period_goes_on_from_its_file(count: int) -> None:
    seen = terms(WANTED, offset=2.0)
    period = whole(seen.of(slice(count)))
    again = period_from_bytes(period_to_bytes(period))
    rest = seen.of(slice(count, None))
    for each in (period, again):
        each.add(rest, population(), SIGNS)
    np.testing.assert_array_equal(again.result().mean, period.result().mean)
    np.testing.assert_array_equal(again.result().room, period.result().room)


@pytest.mark.parametrize("spoil", [lambda data: data[:-9], lambda _data: b"", lambda _data: b"PK"])
def test_spoilt_files_are_said_to_be(spoil: Callable[[bytes], bytes]) -> None:
    period = whole(terms(WANTED))
    with pytest.raises(GustbedError):
        period_from_bytes(spoil(period_to_bytes(period)))
    with pytest.raises(GustbedError):
        correction_from_bytes(spoil(correction_to_bytes(period.result())), population())


def test_a_correction_of_another_model_is_refused() -> None:
    data = correction_to_bytes(whole(terms(WANTED)).result())
    known = population()
    other = Population(
        known.mean[:1],
        known.covariance[:1],
        known.noise[:1],
        known.alike[:1],
        known.typical[:, :1],
        HEADS,
        NO_DRIVERS[:1, :1],
    )
    with pytest.raises(GustbedError, match="another model"):
        correction_from_bytes(data, other)


def test_shifts_are_told_in_usual_errors_the_largest_first() -> None:
    seen = terms(WANTED, offset=3.0)
    seen.error[:, 1] = np.random.default_rng(1).normal(-1.0, 0.3, (WANTED, TERMS))
    period = whole(seen)
    shifts = largest_shifts(population(), period.result(), added(period.segments), FEATURES)
    assert list(shifts) == ["speed", "power"]
    assert shifts["speed"] == pytest.approx(3.0, abs=0.2)
    assert shifts["power"] == pytest.approx(-1.0, abs=0.2)
