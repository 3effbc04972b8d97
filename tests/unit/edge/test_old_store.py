"""The data folder of the version before is read as it is; what it told of is not told anew."""

import json
import sqlite3
from pathlib import Path

import msgspec

from gustbed_core.events import TelemetrySummary
from gustbed_core.jobs import PACKAGE_FILE, RELEASE_FILE, release_to_json
from gustbed_edge.capture.writer import DAY, CaptureWriter
from gustbed_edge.cloud.ports import JobOutcome
from gustbed_edge.jobs.job_log import JobLog
from gustbed_edge.models.loading import load_models
from gustbed_edge.models.store import ModelStore
from gustbed_edge.outbox.store import Outbox
from tests.support.bench import TYPES
from tests.support.packages import sign_package, tiny_package
from tests.unit.edge.committing import KEY, KEYS

SCHEMA = """
CREATE TABLE events (
  id TEXT PRIMARY KEY, opened REAL NOT NULL, closed REAL, changed REAL NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX events_by_change ON events (changed);
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,
  size INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX outbox_by_kind ON outbox (kind, id);
"""
EVENT = {
    "id": "e1",
    "site": "site-1",
    "thing": "gustbed-site-1",
    "turbine": "wt01",
    "kind": "voltage",
    "opened": 5.0,
    "closed": None,
    "peak_score": 2.0,
    "model": {"name": "tiny", "version": "1.0.0"},
    "change": "opened",
    "signals": ["voltage"],
    "schema": 1,
}
MEANS = {
    "voltage": 48.0,
    "rps": 1.5,
    "wind_speed_rps": 2.0,
    "vibration": 3.0,
    "gearboxtemp": 20.0,
}


def write_database(folder: Path) -> None:
    with sqlite3.connect(folder / "edge.sqlite") as db:
        db.executescript(SCHEMA)
        body = json.dumps(EVENT).encode()
        db.execute("INSERT INTO events VALUES ('e1', 5.0, NULL, 6.0, ?)", (body,))
        one = json.dumps({"turbine": "wt01", "t": 7.0, **MEANS}).encode()
        for kind, fragment in (("telemetry", one + b"," + one), ("verdicts", b'{"seq":1}')):
            db.execute(
                "INSERT INTO outbox (kind, size, body) VALUES (?, ?, ?)",
                (kind, len(fragment), fragment),
            )
    db.close()


def open_database(folder: Path) -> Outbox:
    return Outbox(folder, max_bytes=10**6, max_rows=1000, events_kept=10)


def test_events_go_on_and_what_waits_for_the_cloud_gets_its_form_of_today(tmp_path: Path) -> None:
    write_database(tmp_path)
    for _ in range(2):
        outbox = open_database(tmp_path)
        (event,) = outbox.open_events()
        assert (event.id, event.kind, event.signals) == ("e1", "voltage", ["voltage"])
        (waiting,) = outbox.waiting_for("telemetry", 10**6)
        summaries = msgspec.json.decode(b"[" + waiting.body + b"]", type=list[TelemetrySummary])
        assert summaries == [TelemetrySummary("wt01", "mini", 7.0, MEANS)] * 2
        (verdicts,) = outbox.waiting_for("verdicts", 10**6)
        assert verdicts.body == b'{"seq":1}'
        assert (outbox.waiting, outbox.waiting_bytes) == (2, len(waiting.body) + 9)
        outbox.close()


def test_models_serve_and_run_in_shadow_by_the_pointer_of_before(tmp_path: Path) -> None:
    slots = {}
    for version, role in (("1.0.0", "serve"), ("1.1.0", "serve"), ("1.2.0", "shadow")):
        signed = sign_package(tiny_package(version), KEY, tmp_path / "packages", role=role)
        name = f"tiny-{version}" + ("-shadow" if role == "shadow" else "")
        slot = tmp_path / "models" / name
        slot.mkdir(parents=True)
        (slot / PACKAGE_FILE).write_bytes(signed.archive)
        (slot / RELEASE_FILE).write_bytes(release_to_json(signed.release, signed.signature))
        slots[version] = {
            "name": "tiny",
            "version": version,
            "sha256": signed.release.sha256,
            "job": "job",
            "role": role,
        }
    mini = {"current": slots["1.1.0"], "previous": slots["1.0.0"], "challenger": slots["1.2.0"]}
    pointer = tmp_path / "models" / "committed.json"
    pointer.write_text(json.dumps({"types": {"mini": mini}, "current": None, "previous": None}))
    store = ModelStore(tmp_path / "models")
    loaded = load_models(store, KEYS, tmp_path / "factory", TYPES)
    assert loaded.serving["mini"].release.version == "1.1.0"
    assert loaded.shadow["mini"].release.version == "1.2.0"
    assert loaded.missing == frozenset()
    committed = store.committed()["mini"]
    assert committed.shadow is not None
    store.set_shadow("mini", committed.shadow)
    assert json.loads(pointer.read_text())["types"]["mini"] == mini, "an older release reads it"


def test_the_oldest_pointer_without_types_is_of_the_first_type(tmp_path: Path) -> None:
    slot = {"name": "tiny", "version": "1.0.0", "sha256": "0", "job": "j"}
    (tmp_path / "models").mkdir()
    text = json.dumps({"current": slot, "previous": None})
    (tmp_path / "models" / "committed.json").write_text(text)
    store = ModelStore(tmp_path / "models")
    current = store.committed()["mini"].current
    assert current is not None
    assert (current.version, current.role) == ("1.0.0", "serve")
    assert load_models(store, KEYS, tmp_path / "none", TYPES).missing == {"mini"}


def test_outcomes_of_jobs_and_the_days_captures_are_known(tmp_path: Path) -> None:
    outcome = {"job": "a", "execution": 1, "status": "FAILED", "details": {}, "reported": True}
    (tmp_path / "updates.json").write_text(json.dumps([outcome]))
    (tmp_path / "captures.json").write_text('{"day": 20000, "bytes": 123}')
    assert JobLog(tmp_path).find("a", 1) == JobOutcome("a", 1, "FAILED", {}, reported=True)
    writer = CaptureWriter(
        tmp_path, lambda _: None, max_bytes_per_day=1000, clock=lambda: 20000.5 * DAY
    )
    assert writer.today == 123
