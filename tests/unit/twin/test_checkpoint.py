"""Checkpoints of a running twin: bit for bit, whole or not at all, and between blocks."""

import threading
from pathlib import Path

import numpy as np
import pytest

from gustbed_core.codec import encode
from gustbed_core.commands import Command
from gustbed_core.errors import GustbedError
from gustbed_core.violations import Violation
from gustbed_twin.checkpoint import write_checkpoint
from gustbed_twin.commands import CommandDesk
from gustbed_twin.farm import Farm
from gustbed_twin.keeper import Asked, Keeper, Kept
from gustbed_twin.mini_checkpoint import freeze, load_mini, write_mini
from gustbed_twin.recording import Recording
from gustbed_twin.replay import Replay
from gustbed_twin.source import Simulation
from gustbed_twin.utility.checkpoint import load_farm
from gustbed_twin.wind import WindConfig
from tests.support.ports import wait_until


def mini() -> Farm:
    farm = Farm(7, [1, 4], WindConfig(2.4, 0.2))
    farm.advance(2000)
    farm.inject(0, Violation.VIBRATION, 0.8, 60.0)
    farm.advance(33)
    return farm


def test_a_mini_farm_goes_on_from_its_checkpoint_bit_for_bit(tmp_path: Path) -> None:
    farm, path = mini(), tmp_path / "farm.npz"
    frozen = freeze(farm)
    expected = farm.advance(3000)
    write_mini(frozen, path)
    again = load_mini(path)
    assert (again.seed, again.indices, again.sample) == (7, (1, 4), 2033)
    assert again.config == farm.config
    # Cut otherwise, for blocks are no part of the state.
    values = np.concatenate([again.advance(1000) for _ in range(3)], axis=2)
    assert values.tobytes() == expected.tobytes()


def test_a_checkpoint_of_another_type_or_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "farm.npz"
    write_mini(freeze(mini()), path)
    with pytest.raises(GustbedError, match=r"farm\.npz: of type mini"):
        load_farm(path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(GustbedError, match=r"farm\.npz: not a checkpoint"):
        load_mini(path)
    write_checkpoint(path, {"type": "nrel_5mw"}, {})
    with pytest.raises(GustbedError, match="of type nrel_5mw"):
        load_mini(path)


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "farm.npz"
    write_mini(freeze(mini()), path)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(GustbedError, match=r"farm\.npz: No space left"):
        write_mini(freeze(mini()), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["farm.npz"]


class Clock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def looked(keeper: Keeper) -> Kept:
    found: list[Kept] = []

    def done() -> bool:
        kept = keeper.look()
        if kept is not None:
            found.append(kept)
        return bool(found)

    wait_until(done, "a checkpoint")
    return found[0]


def test_one_is_written_at_a_time_and_never_from_before_it_was_asked_for(tmp_path: Path) -> None:
    go, taken, block = threading.Event(), list[int](), 0

    def snapshot():  # type: ignore[no-untyped-def]
        taken.append(block)
        return lambda _path: go.wait(30) and None

    keeper = Keeper(snapshot, tmp_path / "a", 0.0, Clock())
    try:
        keeper.ask(Asked(0, "a"))
        assert keeper.look() is None
        block = 1
        keeper.ask(Asked(0, "b"))
        keeper.ask(Asked(1, "c"))
        assert keeper.look() is None
        assert taken == [0]
        go.set()
        block = 2
        assert looked(keeper) == Kept((Asked(0, "a"),), "")
        assert looked(keeper) == Kept((Asked(0, "b"), Asked(1, "c")), "")
        assert taken == [0, 2]
    finally:
        go.set()
        keeper.close()


def test_it_is_written_every_so_often_and_not_more(tmp_path: Path) -> None:
    clock, written = Clock(), list[Path]()
    keeper = Keeper(lambda: written.append, tmp_path / "a", 10.0, clock)
    try:
        assert keeper.look() is None
        assert not written
        clock.now = 10.0
        assert looked(keeper).askers == ()
        assert keeper.look() is None
        assert written == [tmp_path / "a"]
    finally:
        keeper.close()


def test_a_checkpoint_command_is_answered_once_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "farm.npz"
    source = Simulation(mini(), 10)
    keeper = Keeper(source.snapshot, path, 0.0, Clock())
    desk = CommandDesk(source, ("wt02", "wt05"), keeper)
    payload = encode(Command("checkpoint", id="a"))
    try:
        assert desk.handle(1, payload) is None
        assert desk.handle(1, payload) is None  # sent twice, asked once
        [(position, ack)] = desk.settle(looked(keeper), path)
    finally:
        keeper.close()
    assert (position, ack.accepted, ack.turbine, ack.file) == (1, True, "wt05", str(path))
    assert load_mini(path).sample == 2033
    assert desk.handle(1, payload) == ack


def test_a_checkpoint_that_fails_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    source = Simulation(mini(), 10)
    keeper = Keeper(source.snapshot, tmp_path / "file" / "x", 0.0, Clock())
    desk = CommandDesk(source, ("wt02", "wt05"), keeper)
    desk.handle(0, encode(Command("checkpoint", id="a")))
    try:
        [(_, ack)] = desk.settle(looked(keeper), keeper.path)
    finally:
        keeper.close()
    assert (ack.accepted, ack.file) == (False, "")
    assert "file" in ack.reason


def test_a_recording_says_that_it_has_no_checkpoint() -> None:
    rows = np.ascontiguousarray(Farm(1, [0], WindConfig()).advance(100)[0].T)
    replay = Replay(Recording(rows), turbines=1, samples=10, rate_hz=20.0, loop=True, seed=1)
    ack = CommandDesk(replay, ("wt01",)).handle(0, encode(Command("checkpoint", id="a")))
    assert ack is not None
    assert not ack.accepted
    assert "recording" in ack.reason
