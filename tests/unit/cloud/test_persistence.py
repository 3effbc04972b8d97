"""The emulator's snapshots and message journal, and the registry's journal, without either."""

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.cloud.functions import CLOUD, load_from


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
    from persistence import Snapshots

    snapshots = Snapshots(tmp_path, serialise)
    assert snapshots.take({"iot": lambda: 1, "s3": lambda: 2, "off": lambda: None})
    assert snapshots.take({"iot": lambda: 3, "s3": lambda: 2})
    assert read(tmp_path) == {"iot": 3, "s3": 2}
    assert len(list(tmp_path.glob("snapshot-*"))) == 1


def test_unchanged_state_is_not_written(tmp_path: Path) -> None:
    from persistence import Snapshots

    snapshots = Snapshots(tmp_path, serialise)
    snapshots.take({"iot": lambda: 1})
    before = (tmp_path / "state").resolve()
    assert not snapshots.take({"iot": lambda: 1})
    assert (tmp_path / "state").resolve() == before


def test_what_services_keep_beside_their_state_is_carried_over(tmp_path: Path) -> None:
    from persistence import Snapshots

    snapshots = Snapshots(tmp_path, serialise)
    blob = tmp_path / "state" / "lambda-blobs" / "code.zip"
    blob.parent.mkdir()
    blob.write_bytes(b"code")
    snapshots.take({"lambda": lambda: 1})
    snapshots.take({"lambda": lambda: 2})
    assert blob.read_bytes() == b"code"


def test_services_that_did_not_run_keep_what_they_had(tmp_path: Path) -> None:
    from persistence import Snapshots

    Snapshots(tmp_path, serialise).take({"iot": lambda: 1, "s3": lambda: 2})
    Snapshots(tmp_path, serialise).take({"iot": lambda: 5})
    assert read(tmp_path) == {"iot": 5, "s3": 2}


def test_half_written_snapshot_of_a_crash_is_cleared_away(tmp_path: Path) -> None:
    from persistence import Snapshots

    Snapshots(tmp_path, serialise).take({"iot": lambda: 1})
    half = tmp_path / "snapshot-99"
    half.mkdir()
    (half / "iot.json").write_bytes(b"{")
    snapshots = Snapshots(tmp_path, serialise)
    assert not half.exists()
    assert read(tmp_path) == {"iot": 1}
    assert snapshots.take({"iot": lambda: 2})


def message(number: int) -> Any:
    from persistence import Message

    return Message("000000000000", "eu-central-1", "device/t/logs", b"\xff%d" % number, "t")


def test_messages_survive_until_a_snapshot_surely_holds_them(tmp_path: Path) -> None:
    from persistence import MessageJournal

    journal = MessageJournal(tmp_path)
    journal.routed = True
    for number in range(3):
        journal.append(message(number))
        journal.rotate()
        journal.forget()
    assert list(MessageJournal(tmp_path).messages()) == [message(2)]


def test_messages_of_an_earlier_process_stay_until_they_are_routed(tmp_path: Path) -> None:
    from persistence import MessageJournal

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


def test_messages_that_come_while_it_ends_stay(tmp_path: Path) -> None:
    from persistence import MessageJournal

    journal = MessageJournal(tmp_path)
    journal.routed = True
    journal.append(message(1))
    journal.freeze()
    journal.append(message(2))
    journal.clear()
    assert list(MessageJournal(tmp_path).messages()) == [message(2)]


def test_message_cut_by_a_crash_is_left_out(tmp_path: Path) -> None:
    from persistence import MessageJournal

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


def log_stream(lines: int) -> dict[str, Any]:
    return {"events": [{"message": str(number)} for number in range(lines)]}


def cloudwatch(groups: dict[str, dict[str, Any]]) -> Any:
    """As much of the emulator's CloudWatch Logs as is trimmed."""
    scoped = {("0", "eu", name): {"streams": streams} for name, streams in groups.items()}
    return SimpleNamespace(
        _log_groups=SimpleNamespace(all_items=lambda: list(scoped.items())),
        _log_events_lock=threading.Lock(),
        _log_records=SimpleNamespace(_data={"id": {"@message": "0"}}),
    )


def test_functions_keep_only_their_latest_log_streams_and_the_fleet_keeps_all() -> None:
    import retention

    many = [f"stream-{number}" for number in range(retention.KEPT_STREAMS + 5)]
    function = {name: log_stream(3) for name in many}
    fleet = {name: log_stream(3) for name in many}
    retention.trim(cloudwatch({"/aws/lambda/gustbed-alert": function, "/gustbed/fleet": fleet}))
    assert list(function) == many[5:]
    assert list(fleet) == many


def test_long_log_streams_keep_their_latest_lines_and_no_second_copy() -> None:
    import retention

    stream = log_stream(retention.KEPT_LINES + 5)
    logs = cloudwatch({"/gustbed/fleet": {"site-1/verdicts": stream}})
    retention.trim(logs)
    assert len(stream["events"]) == retention.KEPT_LINES
    assert stream["events"][0] == {"message": "5"}
    assert logs._log_records._data == {}


def test_lakes_keep_their_latest_objects_and_firehose_no_records() -> None:
    import retention

    keys = [f"captures/2026/01/{day:02}/{n:05}" for day in (1, 2) for n in range(2_503)]
    lake, other = dict.fromkeys(reversed(keys)), dict.fromkeys(keys)
    buckets = {
        ("0", "gustbed-lake-0-eu"): {"objects": lake},
        ("0", "gustbed-artifacts-0-eu"): {"objects": other},
    }
    purged: list[str] = []

    def purge(bucket: str, key: str, content: dict[str, Any]) -> None:
        assert bucket == "gustbed-lake-0-eu"
        purged.append(key)
        del content["objects"][key]

    stream = {"destinations": [{"records": [{"data": "x"}]}]}
    firehose = SimpleNamespace(
        _lock=threading.Lock(), _streams=SimpleNamespace(_data={("0", "eu", "lake"): stream})
    )
    s3 = SimpleNamespace(_buckets=SimpleNamespace(_data=buckets), _purge_current_object=purge)
    for _ in range(2):
        retention.trim_lake(firehose, s3)
    assert purged == keys[:6]
    assert len(lake) == retention.KEPT_OBJECTS
    assert len(other) == len(keys)
    assert stream["destinations"][0]["records"] == []


@pytest.fixture
def emulator() -> Any:
    return load_from(CLOUD / "emulator", "emulator")


def test_emulator_refuses_a_ministack_whose_internals_have_changed(
    emulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator, "REQUIRED", {"json": ("loads", "no_longer_there")})
    with pytest.raises(emulator.LauncherError, match=r"json\.no_longer_there is gone"):
        emulator.import_ministack()
    monkeypatch.setattr(emulator, "REQUIRED", {"no_such_module": ()})
    with pytest.raises(emulator.LauncherError, match="no_such_module cannot be imported"):
        emulator.import_ministack()


@pytest.mark.parametrize("value", ["0", "70000", "-1", "http", "4566 "])
def test_emulator_port_that_is_none_names_its_variable(emulator: Any, value: str) -> None:
    with pytest.raises(emulator.LauncherError, match="GUSTBED_EMULATOR_MTLS_PORT"):
        emulator.read_settings({"GUSTBED_EMULATOR_MTLS_PORT": value})


def test_emulator_folder_that_cannot_be_made_is_named(emulator: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    settings = emulator.read_settings({"GUSTBED_EMULATOR_DATA_DIR": str(tmp_path / "file" / "x")})
    with pytest.raises(emulator.LauncherError, match="GUSTBED_EMULATOR_DATA_DIR"):
        emulator.require_data_dir(settings)


def test_emulator_is_advertised_by_a_name_that_devices_can_reach(emulator: Any) -> None:
    assert emulator.read_settings({}).advertised == "127.0.0.1"
    everywhere = {"GUSTBED_EMULATOR_HOST": "0.0.0.0"}  # noqa: S104
    assert emulator.read_settings(everywhere).advertised not in ("0.0.0.0", "")  # noqa: S104
    named = {**everywhere, "GUSTBED_EMULATOR_NAME": "emulator"}
    assert emulator.read_settings(named).advertised == "emulator"
