"""The compact detector on a made-up machine: speed follows wind, power speed, and modes jump."""

from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from torch import nn

from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import SENSOR
from gustbed_core.features import Feature
from gustbed_core.signals import ChannelSpec, Schema
from gustbed_training.detectors.base import FitData, Plan
from gustbed_training.detectors.compact import Compact, drivers_of
from gustbed_training.detectors.compact_basis import ExplainedModel
from gustbed_training.detectors.compact_limits import set_limits, term_errors
from gustbed_training.detectors.compact_model import CompactModel
from tests.unit.training.detecting import (
    check_batch_does_not_matter,
    check_exported_graph_agrees,
    check_same_weights,
    scores,
    weights,
    windows,
)

NAMES = ("wind", "speed", "power", "mode")
WIND, SPEED, POWER, MODE = range(4)
WINDOW, STEP = 80, 4


DRIVERS = {"wind": (), "speed": ("wind", "mode"), "power": ("speed", "mode"), "mode": ("power",)}


def schema(drivers: dict[str, tuple[str, ...]] = DRIVERS, window: int = WINDOW) -> Schema:
    """Nothing drives the wind; the mode is known from the power."""
    return Schema(
        turbine_type="toy",
        sample_rate_hz=10.0,
        channels=tuple(ChannelSpec(name, "1") for name in NAMES),
        features=tuple(Feature(name, "1") for name in NAMES),
        violations={SENSOR: NAMES},
        window=window,
        step=STEP,
        drivers=drivers,
    )


def signals(samples: int, seed: int) -> np.ndarray:
    """Normal signals (features, samples); the machine runs, then rests, and so on."""
    rng = np.random.default_rng(seed)
    wander = np.convolve(rng.normal(size=samples + 200), np.full(200, 1 / 200), "valid")[:samples]
    wind = 8 + 20 * wander
    mode = np.where(np.arange(samples) // 700 % 2 == 0, 2.0, 0.0)
    speed = 1.5 * wind * (mode > 0)
    power = 0.1 * speed**2
    noise = rng.normal(size=(3, samples)) * np.array([[0.1], [0.05], [0.3]])
    return np.stack([*(np.stack([wind, speed, power]) + noise), mode]).astype(np.float32)


def cut(values: np.ndarray) -> np.ndarray:
    """(n, features, window)."""
    return windows(values, WINDOW, STEP)


def data(seed: int = 1, samples: int = 9000) -> FitData:
    """Two stretches to train on, and two held out."""
    train = [cut(signals(samples, seed + i)) for i in range(2)]
    held = [cut(signals(samples, seed + 100 + i)) for i in range(2)]
    return FitData(schema(), np.concatenate(train), train, held)


def fit(given: FitData, seed: int = 0, epochs: int = 2) -> nn.Module:
    """Trained shortly."""
    return Compact().fit(given, Plan(seed=seed, epochs=epochs), lambda _: None)


@cache
def trained() -> nn.Module:
    """Once for the tests that need no other data."""
    return fit(data(), epochs=6)


def running(seed: int) -> np.ndarray:
    """Signals of the machine while it runs."""
    return signals(700, seed)


def worst(values: np.ndarray) -> np.ndarray:
    """Largest score of every feature, once a change has filled the newest half of the window."""
    highest: np.ndarray = scores(trained(), cut(values))[-20:].max(axis=0)
    return highest


def model_of(module: nn.Module) -> CompactModel:
    """What tells its terms."""
    assert isinstance(module, ExplainedModel)
    return module.model


def test_equal_seeds_give_equal_weights_and_others_do_not() -> None:
    given = data(samples=2500)
    one, again, other = fit(given, 3), fit(given, 3), fit(given, 4)
    check_same_weights(one, again)
    assert any(not np.array_equal(v, weights(other)[n]) for n, v in weights(one).items())


@pytest.mark.parametrize("window", [WINDOW, 7, 45])
@pytest.mark.parametrize("driven", [True, False])
def test_the_exported_graph_scores_alike(window: int, driven: bool) -> None:
    shape = schema(DRIVERS if driven else {}, window)
    stretch = windows(signals(2500, 5), window, STEP)
    module = fit(FitData(shape, stretch, [stretch], [stretch]))
    some = windows(signals(window + 400, 9), window, STEP)
    some[5:] *= 1.5
    check_exported_graph_agrees(module, some)


def test_a_score_depends_on_its_window_alone() -> None:
    check_batch_does_not_matter(trained(), cut(signals(400, 11)))


def test_normal_windows_score_below_what_held_out_ones_reach() -> None:
    found = scores(trained(), cut(signals(9000, 500)))
    assert (found >= 0).all()
    assert np.mean(found > 1) < 0.01


@pytest.mark.parametrize(("feature", "shift"), [(SPEED, 4.0), (POWER, 20.0)])
def test_what_its_drivers_do_not_explain_is_found(feature: int, shift: float) -> None:
    values = running(21)
    before = worst(values)
    values[feature] += shift
    after = worst(values)
    assert before[feature] < 1 < after[feature]
    assert after[feature] > 1.5 * before[feature]


def test_a_driver_that_changes_with_what_it_drives_accuses_nobody() -> None:
    values = running(22)
    values[WIND] += 1.0
    values[SPEED] += 1.5
    values[POWER] = 0.1 * values[SPEED] ** 2
    assert (worst(values) < 1.2).all()


def test_a_stuck_and_a_noisy_sensor_are_found() -> None:
    stuck, noisy = running(23), running(23)
    stuck[WIND, 300:] = stuck[WIND, 300]
    noisy[WIND, 300:] += np.random.default_rng(0).normal(size=400) * 1.0
    assert worst(running(23))[WIND] < 1
    assert worst(stuck)[WIND] > 1
    assert worst(noisy)[WIND] > 1


def test_a_mode_never_seen_is_found() -> None:
    values = running(24)
    assert worst(values)[MODE] < 1
    values[MODE, 300:] = 5.0
    assert worst(values)[MODE] > 1


def test_modes_are_told_from_measurements() -> None:
    module = model_of(trained())
    assert module.state_of.tolist() == [MODE, MODE]
    assert module.state_values.flatten().tolist() == [0.0, 2.0]


def test_a_signal_that_never_moved_gives_finite_scores() -> None:
    given = data(samples=2500)
    for each in (*given.train, *given.held):
        each[:, POWER] = 50.0
    still = cut(signals(400, 15))
    still[:, POWER] = 50.0
    module = fit(given)
    moved = still.copy()
    moved[:, POWER] += 5.0
    assert np.isfinite(scores(module, moved)).all()
    assert scores(module, moved)[:, POWER].mean() > 3 * scores(module, still)[:, POWER].mean()


def test_too_few_windows_are_refused() -> None:
    few = cut(signals(WINDOW + 8, 1))
    with pytest.raises(GustbedError, match="3 training windows"):
        fit(replace(data(), windows=few, train=[few]))
    with pytest.raises(GustbedError, match="no held-out window"):
        fit(replace(data(samples=2500), held=[few[:0]]))


def test_limits_leave_held_out_errors_behind_in_a_row() -> None:
    given = data()
    module = model_of(fit(given))
    set_limits(module, given.held, open_after=4)
    found = [term_errors(module, each) for each in given.held]
    over = np.concatenate([errors > module.limits.numpy()[regimes] for errors, regimes in found])
    in_a_row = over[3:] & over[2:-1] & over[1:-2] & over[:-3]
    assert in_a_row.mean() < 1e-3
    assert over.mean() < 1e-2


def test_limits_say_how_far_recordings_go_that_did_not_set_them() -> None:
    module = model_of(deepcopy(trained()))
    stretches = [cut(signals(2500, seed)) for seed in range(60, 68)]
    assert set_limits(module, stretches[:7], open_after=4) is None
    alike = set_limits(module, stretches, open_after=4)
    assert alike is not None
    assert alike.max() < 1.5
    odd = stretches[3].copy()
    odd[200:, POWER] += 40.0
    apart = set_limits(module, [*stretches[:3], odd, *stretches[4:]], open_after=4)
    assert apart is not None
    assert apart[POWER] > 2 * alike[POWER]


def test_regimes_are_the_states_and_what_lies_between() -> None:
    module = model_of(trained())
    values = signals(2800, 3)
    found = term_errors(module, cut(values))[1]
    mode = cut(values)[:, MODE]
    rests, runs = (mode == 0).all(axis=1), (mode == 2).all(axis=1)
    assert (found[rests] == 0).all()
    assert (found[runs] == 1).all()
    assert (found[~rests & ~runs] == 2).all()
    assert (~rests & ~runs).any()


def test_a_regime_with_enough_held_out_windows_has_limits_of_its_own() -> None:
    module = model_of(deepcopy(trained()))
    set_limits(module, [cut(signals(5000, 41))], open_after=4)
    np.testing.assert_array_equal(module.limits[1], module.limits[2])
    set_limits(module, [cut(signals(62_000, 42))], open_after=4)
    runs, between = module.limits[1, POWER], module.limits[2, POWER]
    # How rough and spread the power is, is harder to tell while the machine changes over.
    assert runs[5:].log().mean() < between[5:].log().mean()
    assert runs.max() < 0.9 * between.max()


def test_drivers_follow_the_schema_or_are_all_the_others() -> None:
    assert drivers_of(schema()) == [[], [WIND, MODE], [SPEED, MODE], [POWER]]
    assert drivers_of(schema({"wind": ()})) == [[], [0, 2, 3], [0, 1, 3], [0, 1, 2]]
