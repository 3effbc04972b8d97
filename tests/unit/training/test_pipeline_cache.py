"""Steps are done once, wholly or not at all."""

import os
import time
from pathlib import Path

import pytest

from gustbed_core.errors import GustbedError
from gustbed_training.pipeline import cache
from gustbed_training.pipeline.cache import Store, code_digest, key_of, write_atomically


class Step:
    """A step that counts how often it is done."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, folder: Path) -> None:
        self.times += 1
        (folder / "out").write_text(str(self.times))


def _quiet(_: str) -> None:
    return


def test_equal_inputs_are_done_once_and_that_is_said(tmp_path: Path) -> None:
    step, lines = Step(), list[str]()
    store = Store(tmp_path)
    first = store.step("train", {"seed": 1, "data": "a"}, step, lines.append)
    again = store.step("train", {"data": "a", "seed": 1}, step, lines.append)
    assert first == again
    assert step.times == 1
    assert [line.split(" ")[0] for line in lines] == ["done", "cached"]
    assert (first / "out").read_text() == "1"


def test_other_inputs_are_another_output(tmp_path: Path) -> None:
    step = Step()
    folders = {Store(tmp_path).step("train", {"seed": s}, step, _quiet) for s in (1, 2)}
    assert len(folders) == step.times == 2


def test_force_does_it_again(tmp_path: Path) -> None:
    step = Step()
    Store(tmp_path).step("train", {}, step, _quiet)
    folder = Store(tmp_path, force=True).step("train", {}, step, _quiet)
    assert (folder / "out").read_text() == "2"


@pytest.mark.parametrize("failure", [GustbedError("no"), KeyboardInterrupt(), MemoryError()])
def test_a_step_that_ends_early_leaves_nothing_and_is_done_by_the_next_run(
    tmp_path: Path, failure: BaseException
) -> None:
    def half(folder: Path) -> None:
        (folder / "out").write_text("half")
        raise failure

    with pytest.raises(type(failure)):
        Store(tmp_path).step("train", {}, half, _quiet)
    assert list(tmp_path.iterdir()) == []
    assert (Store(tmp_path).step("train", {}, Step(), _quiet) / "out").read_text() == "1"


def test_what_a_killed_process_left_is_not_taken_for_done(tmp_path: Path) -> None:
    folder = Store(tmp_path).step("train", {}, Step(), _quiet)
    (folder / cache.DONE).unlink()
    step = Step()
    assert Store(tmp_path).step("train", {}, step, _quiet) == folder
    assert step.times == 1


def test_what_was_left_long_ago_is_removed_and_what_is_being_made_is_not(tmp_path: Path) -> None:
    old, new = tmp_path / ".train-1.7.part", tmp_path / ".train-2.8.part"
    for folder in (old, new):
        folder.mkdir()
    long_ago = time.time() - 2 * cache._STALE_S
    os.utime(old, (long_ago, long_ago))
    Store(tmp_path).step("train", {}, Step(), _quiet)
    assert not old.exists()
    assert new.exists()


def test_who_finishes_second_takes_what_is_there(tmp_path: Path) -> None:
    final = tmp_path / f"train-{key_of({})}"

    def overtaken(folder: Path) -> None:
        (folder / "out").write_text("mine")
        final.mkdir()
        (final / cache.DONE).write_text("{}")
        (final / "out").write_text("theirs")

    folder = Store(tmp_path).step("train", {}, overtaken, _quiet)
    assert (folder / "out").read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [final]


def test_only_the_outputs_used_last_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folders = [store.step("prepare", {"n": n}, Step(), _quiet) for n in range(4)]
    for age, folder in enumerate(folders):
        os.utime(folder, (1e9 - age, 1e9 - age))
    store.step("prepare", {"n": 3}, Step(), _quiet)
    store.prune("prepare", 2)
    assert sorted(tmp_path.iterdir()) == sorted([folders[0], folders[3]])


def test_what_was_used_lately_may_be_in_use_and_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folders = [store.step("prepare", {"n": n}, Step(), _quiet) for n in range(3)]
    store.prune("prepare", 1)
    assert sorted(tmp_path.iterdir()) == sorted(folders)


def test_a_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GustbedError, match="file"):
        Store(tmp_path / "file").step("train", {}, Step(), _quiet)


def test_a_change_of_code_changes_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_ROOT", tmp_path)
    (tmp_path / "data").mkdir()
    source = tmp_path / "data" / "split.py"
    source.write_text("a = 1")
    reckon = code_digest.__wrapped__
    before = reckon("data")
    assert reckon("data") == before
    source.write_text("a = 2")
    assert reckon("data") != before


def test_a_file_is_written_wholly_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "models" / "package.tar.gz"
    write_atomically(target, b"whole")
    assert [path.name for path in target.parent.iterdir()] == ["package.tar.gz"]
    (tmp_path / "file").touch()
    with pytest.raises(GustbedError, match=r"package\.tar\.gz"):
        write_atomically(tmp_path / "file" / "package.tar.gz", b"whole")
