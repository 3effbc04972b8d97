"""Replaying: every turbine plays the whole recording from a point of its own."""

import numpy as np
import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import INJECTABLE, ROTATION, VIBRATION, VOLTAGE, EventKind
from gustbed_twin.filters import Floats
from gustbed_twin.publisher.replay import Replay
from gustbed_twin.recordings.recording import Recording
from gustbed_twin.wind.miniature import WindConfig
from tests.unit.twin.miniatures import CHANNEL_INDEX, CHANNEL_NAMES, mini_farm

SAMPLES = 10


@pytest.fixture(scope="module")
def recording() -> Floats:
    return np.ascontiguousarray(mini_farm(1, [0], WindConfig()).advance(1205)[0].T)


def make(recording: Floats, *, turbines: int = 3, loop: bool = True) -> Replay:
    return Replay(
        Recording(recording, "mini", CHANNEL_NAMES),
        turbines=turbines,
        samples=SAMPLES,
        rate_hz=20.0,
        loop=loop,
        seed=1,
    )


def play(replay: Replay, blocks: int) -> tuple[Floats, list[frozenset[int]]]:
    steps = [replay.step() for _ in range(blocks)]
    values = np.concatenate([step.values for step in steps if step], axis=2)
    return values, [step.restarted for step in steps if step]


def test_values_are_the_recordings_own(recording: Floats) -> None:
    values, _ = play(make(recording), 120)
    assert np.array_equal(values[0], recording[:1200].T)


def test_turbines_start_at_different_points(recording: Floats) -> None:
    values, _ = play(make(recording), 1)
    for position, start in enumerate((0, 400, 800)):
        assert np.array_equal(values[position], recording[start : start + SAMPLES].T)


def test_a_turbine_that_comes_back_to_the_beginning_says_so(recording: Floats) -> None:
    _, restarted = play(make(recording), 130)
    assert {i: set(r) for i, r in enumerate(restarted) if r} == {40: {2}, 80: {1}, 120: {0}}


def test_without_loop_everything_is_played_once(recording: Floats) -> None:
    replay = make(recording, loop=False)
    values, _ = play(replay, 120)
    assert replay.step() is None
    for turbine in values:
        assert np.array_equal(np.sort(turbine[2]), np.sort(recording[:1200, 2]))


def test_more_turbines_than_blocks(recording: Floats) -> None:
    values, _ = play(make(recording[:20], turbines=5), 3)
    assert values.shape == (5, len(CHANNEL_NAMES), 30)


def test_a_recording_shorter_than_a_block_is_refused(recording: Floats) -> None:
    with pytest.raises(GustbedError, match="7 samples"):
        make(recording[:7])


def moved(kind: EventKind, recording: Floats, severity: float = 1.0) -> tuple[Floats, Floats]:
    sound, faulty = make(recording), make(recording)
    faulty.inject(1, kind, severity, 1.0, "")
    return play(sound, 100)[0], play(faulty, 100)[0]


@pytest.mark.parametrize(
    ("kind", "channels"),
    [
        (VOLTAGE, {"voltage"}),
        (ROTATION, {"rps", "voltage"}),
        (
            VIBRATION,
            {"qw", "qx", "qy", "qz", "gx", "gy", "gz", "ax", "ay", "az"},
        ),
    ],
)
def test_a_fault_over_a_recording_moves_its_own_signals_on_its_turbine(
    recording: Floats, kind: EventKind, channels: set[str]
) -> None:
    before, after = moved(kind, recording)
    assert np.array_equal(before[[0, 2]], after[[0, 2]])
    different = {
        name
        for i, name in enumerate(CHANNEL_NAMES)
        if not np.array_equal(before[1, i], after[1, i])
    }
    assert different == channels


def test_a_recordings_rotor_slows_and_its_voltage_follows(recording: Floats) -> None:
    before, after = moved(ROTATION, recording)
    settled = slice(400, None)
    ratio = [
        after[1, CHANNEL_INDEX[n], settled].mean() / before[1, CHANNEL_INDEX[n], settled].mean()
        for n in ("rps", "voltage")
    ]
    assert 0.25 < ratio[0] < 0.55
    assert ratio[1] == pytest.approx(ratio[0], rel=0.1)


def test_a_slowed_recordings_rotor_is_still_counted_once_a_second(recording: Floats) -> None:
    before, after = moved(ROTATION, recording)
    for values, changes in ((before, 1), (after, 2)):
        seconds = values[1, CHANNEL_INDEX["rps"], :980].reshape(-1, 20)
        # The recording's own refresh, and the drive's.
        assert (np.diff(seconds, axis=1) != 0).sum(axis=1).max() <= changes


def test_a_shaken_recording_keeps_unit_quaternions(recording: Floats) -> None:
    _, after = moved(VIBRATION, recording)
    q = after[1, CHANNEL_INDEX["qw"] : CHANNEL_INDEX["qz"] + 1]
    assert np.abs((q * q).sum(axis=0) - 1).max() < 1e-2
    assert np.ptp(after[1, CHANNEL_INDEX["gx"]]) > 0.2


def test_a_cleared_fault_gives_the_recording_back(recording: Floats) -> None:
    sound, faulty = make(recording), make(recording)
    for kind in INJECTABLE:
        faulty.inject(0, kind, 1.0, 0.0, "")
    play(sound, 20)
    play(faulty, 20)
    faulty.clear(0, None, 0.0)
    play(sound, 90)
    play(faulty, 90)
    before, after = play(sound, 5)[0], play(faulty, 5)[0]
    assert np.array_equal(before, after)
