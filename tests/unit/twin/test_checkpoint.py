"""Checkpoints of a running twin: bit for bit, whole or not at all, and between blocks."""

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest

from gustbed_core.codec import encode
from gustbed_core.commands import Command
from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import VIBRATION
from gustbed_twin.checkpoints.farm import load_farm, load_farm_of, save_farm, write_state
from gustbed_twin.checkpoints.file import write_checkpoint
from gustbed_twin.checkpoints.writer import CheckpointResult, CheckpointWriter, Requester
from gustbed_twin.farms.miniature import MiniatureFarm
from gustbed_twin.publisher.commands import CommandHandler
from gustbed_twin.publisher.farm_source import FarmSource
from gustbed_twin.publisher.replay import Replay
from gustbed_twin.recordings.recording import Recording
from gustbed_twin.scenarios.build import BuiltFarm
from gustbed_twin.scenarios.scenario import Scenario
from gustbed_twin.scenarios.timeline import Timeline
from gustbed_twin.wind.miniature import WindConfig
from tests.support.ports import wait_until
from tests.unit.twin.miniatures import CHANNEL_NAMES, MINI, mini_farm


def mini() -> MiniatureFarm:
    farm = mini_farm(7, [1, 4], WindConfig(2.4, 0.2))
    farm.advance(2000)
    farm.inject(0, VIBRATION, 0.8, 60.0)
    farm.advance(33)
    return farm


def mini_source() -> FarmSource:
    built = BuiltFarm(Timeline(mini(), ()), Scenario())
    return FarmSource(built, ("wt02", "wt05"), 10)


def test_a_mini_farm_goes_on_from_its_checkpoint_bit_for_bit(tmp_path: Path) -> None:
    farm, path = mini(), tmp_path / "farm.npz"
    state = farm.state()
    expected = farm.advance(3000)
    write_state(farm.turbine_type, state, {}, path)
    again = load_farm(path)
    assert (again.seed, again.indices, again.sample) == (7, (1, 4), 2033)
    assert again.conditions == farm.conditions
    # Cut otherwise, for blocks are no part of the state.
    values = np.concatenate([again.advance(1000) for _ in range(3)], axis=2)
    assert values.tobytes() == expected.tobytes()


def test_a_fork_goes_on_alike_and_leaves_the_farm_alone() -> None:
    farm = mini()
    fork = farm.fork()
    expected = fork.advance(500)
    assert farm.advance(500).tobytes() == expected.tobytes()


def test_a_checkpoint_that_cannot_be_read_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "farm.npz"
    save_farm(mini(), path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(GustbedError, match=r"farm\.npz: not a checkpoint"):
        load_farm(path)
    write_checkpoint(path, {"type": "nobodys"}, {})
    with pytest.raises(GustbedError, match="of type nobodys, which is not known: set GUSTBED_TY"):
        load_farm(path)
    write_checkpoint(path, {"type": "mini", "schema": 1}, {})
    with pytest.raises(GustbedError, match="written by another release: start without it"):
        load_farm(path)


def test_a_checkpoint_of_a_type_that_has_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "farm.npz"
    save_farm(mini(), path)
    changed = dataclasses.replace(MINI, physics={**MINI.physics, "turbulence": 0.3})
    with pytest.raises(GustbedError, match="type mini was another then"):
        load_farm_of(path, changed)


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "farm.npz"
    save_farm(mini(), path)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(GustbedError, match=r"farm\.npz: No space left"):
        save_farm(mini(), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["farm.npz"]


class Clock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def looked(keeper: CheckpointWriter) -> CheckpointResult:
    found: list[CheckpointResult] = []

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

    keeper = CheckpointWriter(snapshot, tmp_path / "a", 0.0, Clock())
    try:
        keeper.ask(Requester(0, "a"))
        assert keeper.look() is None
        block = 1
        keeper.ask(Requester(0, "b"))
        keeper.ask(Requester(1, "c"))
        assert keeper.look() is None
        assert taken == [0]
        go.set()
        block = 2
        assert looked(keeper) == CheckpointResult((Requester(0, "a"),), "")
        assert looked(keeper) == CheckpointResult((Requester(0, "b"), Requester(1, "c")), "")
        assert taken == [0, 2]
    finally:
        go.set()
        keeper.close()


def test_it_is_written_every_so_often_and_not_more(tmp_path: Path) -> None:
    clock, written = Clock(), list[Path]()
    keeper = CheckpointWriter(lambda: written.append, tmp_path / "a", 10.0, clock)
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
    source = mini_source()
    keeper = CheckpointWriter(source.snapshot, path, 0.0, Clock())
    desk = CommandHandler(source, ("wt02", "wt05"), keeper)
    payload = encode(Command("checkpoint", id="a"))
    try:
        assert desk.handle(1, payload) is None
        assert desk.handle(1, payload) is None  # sent twice, asked once
        [(position, ack)] = desk.settle(looked(keeper), path)
    finally:
        keeper.close()
    assert (position, ack.accepted, ack.turbine, ack.file) == (1, True, "wt05", str(path))
    assert load_farm(path).sample == 2033
    assert desk.handle(1, payload) == ack


def test_a_checkpoint_that_fails_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    source = mini_source()
    keeper = CheckpointWriter(source.snapshot, tmp_path / "file" / "x", 0.0, Clock())
    desk = CommandHandler(source, ("wt02", "wt05"), keeper)
    desk.handle(0, encode(Command("checkpoint", id="a")))
    try:
        [(_, ack)] = desk.settle(looked(keeper), keeper.path)
    finally:
        keeper.close()
    assert (ack.accepted, ack.file) == (False, "")
    assert "file" in ack.reason


def test_a_recording_says_that_it_has_no_checkpoint() -> None:
    rows = np.ascontiguousarray(mini_farm(1, [0], WindConfig()).advance(100)[0].T)
    replay = Replay(
        Recording(rows, "mini", CHANNEL_NAMES),
        turbines=1,
        samples=10,
        rate_hz=20.0,
        loop=True,
        seed=1,
    )
    ack = CommandHandler(replay, ("wt01",)).handle(0, encode(Command("checkpoint", id="a")))
    assert ack is not None
    assert not ack.accepted
    assert "recording" in ack.reason
