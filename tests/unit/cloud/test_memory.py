"""The emulator's snapshots and message journal, and the registry's journal, without either."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cloud.functions import CLOUD


@pytest.fixture(scope="module", autouse=True)
def scripts() -> Iterator[None]:
    """The emulator's scripts stand beside each other, in an environment of their own."""
    folder = str(CLOUD / "emulator")
    sys.path.insert(0, folder)
    yield
    sys.path.remove(folder)


def serialise(name: str, state: Any) -> bytes:
    return json.dumps([name, state]).encode()


def read(root: Path) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_bytes())[1] for path in (root / "state").glob("*.json")}


def test_snapshot_is_whole_and_the_only_one(tmp_path: Path) -> None:
    from lasting import Snapshots

    snapshots = Snapshots(tmp_path, serialise)
    assert snapshots.take({"iot": lambda: 1, "s3": lambda: 2, "off": lambda: None})
    assert snapshots.take({"iot": lambda: 3, "s3": lambda: 2})
    assert read(tmp_path) == {"iot": 3, "s3": 2}
    assert len(list(tmp_path.glob("snapshot-*"))) == 1


def test_unchanged_state_is_not_written(tmp_path: Path) -> None:
    from lasting import Snapshots

    snapshots = Snapshots(tmp_path, serialise)
    snapshots.take({"iot": lambda: 1})
    before = (tmp_path / "state").resolve()
    assert not snapshots.take({"iot": lambda: 1})
    assert (tmp_path / "state").resolve() == before


def test_what_services_keep_beside_their_state_is_carried_over(tmp_path: Path) -> None:
    from lasting import Snapshots

    snapshots = Snapshots(tmp_path, serialise)
    blob = tmp_path / "state" / "lambda-blobs" / "code.zip"
    blob.parent.mkdir()
    blob.write_bytes(b"code")
    snapshots.take({"lambda": lambda: 1})
    snapshots.take({"lambda": lambda: 2})
    assert blob.read_bytes() == b"code"


def test_services_that_did_not_run_keep_what_they_had(tmp_path: Path) -> None:
    from lasting import Snapshots

    Snapshots(tmp_path, serialise).take({"iot": lambda: 1, "s3": lambda: 2})
    Snapshots(tmp_path, serialise).take({"iot": lambda: 5})
    assert read(tmp_path) == {"iot": 5, "s3": 2}


def test_half_written_snapshot_of_a_crash_is_cleared_away(tmp_path: Path) -> None:
    from lasting import Snapshots

    Snapshots(tmp_path, serialise).take({"iot": lambda: 1})
    half = tmp_path / "snapshot-99"
    half.mkdir()
    (half / "iot.json").write_bytes(b"{")
    snapshots = Snapshots(tmp_path, serialise)
    assert not half.exists()
    assert read(tmp_path) == {"iot": 1}
    assert snapshots.take({"iot": lambda: 2})


def message(number: int) -> Any:
    from lasting import Message

    return Message("000000000000", "eu-central-1", "device/t/logs", b"\xff%d" % number, "t")


def test_messages_survive_until_a_snapshot_surely_holds_them(tmp_path: Path) -> None:
    from lasting import MessageJournal

    journal = MessageJournal(tmp_path)
    journal.routed = True
    for number in range(3):
        journal.append(message(number))
        journal.rotate()
        journal.forget()
    assert list(MessageJournal(tmp_path).messages()) == [message(2)]


def test_messages_of_an_earlier_process_stay_until_they_are_routed(tmp_path: Path) -> None:
    from lasting import MessageJournal

    MessageJournal(tmp_path).append(message(1))
    journal = MessageJournal(tmp_path)
    for number in (2, 3):
        journal.append(message(number))
        journal.rotate()
        journal.forget()
    journal.clear()
    assert list(journal.messages()) == [message(1), message(2), message(3)]
    journal.routed = True
    journal.clear()
    assert list(journal.messages()) == []


def test_message_cut_by_a_crash_is_left_out(tmp_path: Path) -> None:
    from lasting import MessageJournal

    journal = MessageJournal(tmp_path)
    journal.append(message(1))
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(message(2).to_line()[:20])
    assert list(MessageJournal(tmp_path).messages()) == [message(1)]


def test_registry_journal_keeps_entries_and_drops_a_cut_line(tmp_path: Path) -> None:
    from journal import Journal

    path = tmp_path / "sub" / "journal.jsonl"
    journal = Journal(path)
    journal.append({"n": 1})
    journal.append({"n": 2})
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"n": 3')
    journal = Journal(path)
    journal.append({"n": 4})
    assert list(journal.entries()) == [{"n": 1}, {"n": 2}, {"n": 4}]


def test_damaged_registry_journal_names_file_and_line(tmp_path: Path) -> None:
    from journal import Journal, JournalError

    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n"\n{"n": 3}\n')
    with pytest.raises(JournalError, match=r"journal\.jsonl: line 2"):
        list(Journal(path).entries())
