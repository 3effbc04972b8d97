"""A utility-scale twin as its process, on a real site broker: shared session, commands, truth."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from gustbed_core import topics
from gustbed_core.commands import Command
from gustbed_core.turbine_state import Desired
from tests.support.mosquitto import Broker, mosquitto
from tests.support.ports import wait_until
from tests.support.site_operator import site_operator

SITE, TURBINES = "site-1", 3


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with mosquitto(tmp_path_factory.mktemp("shared"), turbines=TURBINES, shared_twin=True) as place:
        yield place


@contextmanager
def twin(place: Broker, folder: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GUSTBED_")},
        "GUSTBED_TURBINES": str(TURBINES),
        "GUSTBED_MQTT_PORT": str(place.settings.port),
        "GUSTBED_MQTT_CREDENTIALS_DIR": str(place.settings.credentials_dir),
        "GUSTBED_TWIN_DATA_DIR": str(folder / "data"),
        "GUSTBED_TWIN_TYPE": "nrel_5mw",
        **{f"GUSTBED_TWIN_{name.upper()}": value for name, value in settings.items()},
    }
    with (folder / "twin.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gustbed_twin", "run"], env=environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


def stopped(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(30)


def test_one_session_speaks_for_all_turbines_where_the_broker_allows_it(
    shared: Broker, tmp_path: Path
) -> None:
    with site_operator(shared) as operator, twin(shared, tmp_path, connection="shared") as process:
        wait_until(lambda: all(len(operator.blocks[f"wt0{n}"]) >= 4 for n in (1, 2, 3)), "blocks")
        assert stopped(process) == 0
    for blocks in operator.blocks.values():
        assert [block.seq for block in blocks] == list(range(len(blocks)))
        assert {block.type for block in blocks} == {"nrel_5mw"}
    assert operator.truths == []  # off unless asked for


def test_a_shared_session_is_refused_where_the_broker_was_not_told(tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path, turbines=TURBINES, shared_twin=False) as place,
        site_operator(place) as operator,
        twin(place, tmp_path, connection="shared") as process,
    ):
        wait_until(lambda: (tmp_path / "data").exists(), "heartbeat")
        file = tmp_path / "data"
        wait_until(lambda: any(json.loads(p.read_text())["blocks"] > 8 for p in file.glob("*.json"))
                   if list(file.glob("*.json")) else False, "blocks sent")  # fmt: skip
        assert stopped(process) == 0
    assert dict(operator.blocks) == {}


def test_commands_desired_state_and_truth_over_the_site_broker(
    shared: Broker, tmp_path: Path
) -> None:
    with (
        site_operator(shared) as operator,
        twin(shared, tmp_path, connection="shared", truth="true", speed="20") as process,
    ):
        wait_until(lambda: len(operator.blocks["wt02"]) >= 2, "blocks")
        operator.publish(topics.command(SITE, "wt02"), Command("stop", id="halt"))
        operator.publish(topics.command(SITE, "wt03"), Command("inject", fault="icing", id="ice"))
        operator.publish(topics.command(SITE, "wt03"), Command("curtail", value=-5.0, id="wrong"))
        operator.publish(topics.desired(SITE, "wt01"), Desired(power_limit_kw=1000.0, version=3))

        def answered(name: str, *, accepted: bool) -> bool:
            return any(ack.id == name and ack.accepted is accepted for ack in operator.acks)

        wait_until(lambda: answered("halt", accepted=True), "ack of stop")
        wait_until(lambda: answered("ice", accepted=True), "ack of the fault")
        wait_until(lambda: answered("wrong", accepted=False), "refusal")

        def reported(turbine: str, mode: str) -> bool:
            return any(r.turbine == turbine and r.mode == mode for r in operator.reports)

        wait_until(lambda: reported("wt02", "stopped"), "wt02 stopped", 30)
        wait_until(
            lambda: any(r.turbine == "wt01" and r.version == 3 for r in operator.reports), "desired"
        )
        wait_until(
            lambda: any(t.turbine == "wt03" and [f.kind for f in t.faults] == ["icing"]
                        for t in operator.truths), "truth",
        )  # fmt: skip
        with operator.lock:
            last = operator.blocks["wt02"][-1]
        power = last.values[last.names.index("active_power")]
        assert np.abs(power).max() < 20.0
        assert stopped(process) == 0


def test_it_resumes_from_its_checkpoint(shared: Broker, tmp_path: Path) -> None:
    settings = {"connection": "shared", "checkpoint": str(tmp_path / "farm.npz"), "speed": "20"}
    with site_operator(shared) as operator, twin(shared, tmp_path, **settings) as process:
        wait_until(lambda: len(operator.blocks["wt01"]) >= 5, "blocks")
        operator.publish(topics.command(SITE, "wt01"), Command("stop", id="halt"))
        # Retained reports of the tests before are heard too: none has stopped wt01.
        wait_until(
            lambda: any(r.turbine == "wt01" and r.mode == "stopped" for r in operator.reports),
            "stopped",
        )
        assert stopped(process) == 0
    with site_operator(shared) as operator, twin(shared, tmp_path, **settings) as process:
        wait_until(lambda: len(operator.blocks["wt01"]) >= 2, "blocks")
        first = min(operator.blocks["wt01"], key=lambda block: block.seq)
        assert first.values[first.names.index("rotor_speed")].max() < 4.0
        assert stopped(process) == 0


def test_a_running_farm_is_forked_as_it_is_and_goes_on_after_a_kill(
    shared: Broker, tmp_path: Path
) -> None:
    path = tmp_path / "farm.npz"
    settings = {"connection": "shared", "checkpoint": str(path), "speed": "20",
                "checkpoint_every_s": "0"}  # fmt: skip
    with site_operator(shared) as operator, twin(shared, tmp_path, **settings) as process:
        wait_until(lambda: len(operator.blocks["wt03"]) >= 5, "blocks")
        operator.publish(topics.command(SITE, "wt03"), Command("stop", id="halt"))
        wait_until(
            lambda: any(r.turbine == "wt03" and r.mode == "stopped" for r in operator.reports),
            "stopped",
        )
        assert not path.exists()
        operator.publish(topics.command(SITE, "wt03"), Command("checkpoint", id="keep"))
        wait_until(lambda: any(a.id == "keep" for a in operator.acks), "ack")
        with operator.lock:
            (ack,) = [a for a in operator.acks if a.id == "keep"]
            count = len(operator.blocks["wt01"])
        assert (ack.accepted, ack.file) == (True, str(path))
        done = gustbed("whatif", "--checkpoint", ack.file, "--hours", "0.1", "--change",
                       "wt03:start", "--json", folder=tmp_path)  # fmt: skip
        answer = json.loads(done.stdout)
        # The fork begins where the running farm stands: wt03 stopped, the others not.
        assert [each["mode"] for each in answer["before"]] == ["running", "running", "stopped"]
        assert answer["after"][2]["mode"] != "stopped"
        # The farm itself went on meanwhile, without a block missing or late in its own time.
        wait_until(lambda: len(operator.blocks["wt01"]) > count + 5, "more blocks")
        process.kill()
        process.wait(30)
        with operator.lock:
            blocks = list(operator.blocks["wt01"])
        assert [block.seq for block in blocks] == list(range(len(blocks)))
        assert np.allclose(np.diff([block.t0 for block in blocks]), 0.5)
    with site_operator(shared) as operator, twin(shared, tmp_path, **settings) as process:
        wait_until(lambda: len(operator.blocks["wt03"]) >= 2, "blocks")
        first = min(operator.blocks["wt03"], key=lambda block: block.seq)
        assert first.values[first.names.index("rotor_speed")].max() < 4.0
        assert stopped(process) == 0


def test_a_utility_recording_is_replayed_faster_than_it_was_taken(
    shared: Broker, tmp_path: Path
) -> None:
    import pyarrow.parquet as parquet

    made = gustbed("generate", "--turbines", "1", "--hours", "0.01", "--out", "data",
                   folder=tmp_path)  # fmt: skip
    assert made.returncode == 0, made.stderr
    path = tmp_path / "data" / "wt01.parquet"
    settings = {"connection": "shared", "replay": str(path), "speed": "20", "replay_loop": "false"}
    with site_operator(shared) as operator:
        with twin(shared, tmp_path, **settings) as process:
            assert process.wait(30) == 0  # at the recording's end
        wait_until(lambda: len(operator.blocks["wt01"]) == 72, "all blocks")
    blocks = operator.blocks["wt01"]
    assert {block.type for block in blocks} == {"nrel_5mw"}
    played = np.concatenate([block.values for block in blocks], axis=1)
    table = parquet.read_table(path)
    for row, name in enumerate(blocks[0].names):
        assert np.array_equal(played[row], table[name].to_numpy()), name
    # 36 s of farm time by their times.
    assert np.allclose(np.diff([block.t0 for block in blocks]), 0.5)


@pytest.mark.parametrize("kind", ["mini", "nrel_5mw"])
def test_a_killed_twin_resumes_from_what_it_wrote_every_so_often(
    shared: Broker, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "farm.npz"
    settings = {"connection": "shared", "checkpoint": str(path), "type": kind,
                "checkpoint_every_s": "0.2"}  # fmt: skip

    def sample() -> int:
        with np.load(path) as stored:
            return int(json.loads(bytes(stored["head"]))["sample"])

    with twin(shared, tmp_path, **settings) as process:
        wait_until(lambda: path.exists() and sample() >= 20, "two seconds on file", 30)
        process.kill()
        process.wait(30)
    before = sample()
    with twin(shared, tmp_path, **settings) as process:
        wait_until(lambda: sample() != before, "another checkpoint", 30)
        assert sample() > before  # gone on, not begun anew
        assert stopped(process) == 0


@pytest.mark.parametrize(
    ("setting", "content", "key"),
    [
        ("scenario", "faults: [{turbine: wt09, kind: icing}]", "faults[0].turbine"),
        ("layout", "turbines: [[0, 0]]", "1 turbines"),
        ("type", "name: x", "title"),
        ("checkpoint", "broken", "not a checkpoint"),
    ],
)
def test_a_bad_file_stops_the_twin_before_it_publishes(
    shared: Broker, tmp_path: Path, setting: str, content: str, key: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(content, encoding="utf-8")
    with (
        site_operator(shared) as operator,
        twin(shared, tmp_path, connection="shared", **{setting: str(path)}) as process,
    ):
        assert process.wait(30) == 1
    lines = (tmp_path / "twin.log").read_text(encoding="utf-8").strip().splitlines()
    assert len(lines) == 1
    assert str(path) in lines[0]
    assert key in lines[0]
    assert dict(operator.blocks) == {}


def gustbed(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gustbed_cli", "twin", *arguments],
        capture_output=True, text=True, cwd=folder, check=False, timeout=120,
    )  # fmt: skip


def test_the_command_line_lists_types_and_curves(tmp_path: Path) -> None:
    listed = json.loads(gustbed("types", "--json", folder=tmp_path).stdout)
    assert [row["name"] for row in listed] == ["mini", "nrel_5mw"]
    done = gustbed("curve", "--type", "nrel_5mw", "--winds", "8,14", "--json", folder=tmp_path)
    rows = json.loads(done.stdout)
    assert set(rows[0]) == {
        "wind_ms", "power_kw", "rotor_rpm", "generator_rpm", "pitch_deg", "thrust_coefficient",
    }  # fmt: skip
    assert rows[1]["power_kw"] == pytest.approx(5000.0, rel=0.01)


def test_the_command_line_answers_wakes_and_what_if(tmp_path: Path) -> None:
    pytest.importorskip("floris")
    layout = tmp_path / "row.yaml"
    layout.write_text("turbines: [[0, 0], [630, 0], [1260, 0]]", encoding="utf-8")
    done = gustbed("wake", "--layout", str(layout), "--speed", "8", "--direction", "270",
                   "--json", folder=tmp_path)  # fmt: skip
    powers = [row["power_kw"] for row in json.loads(done.stdout)["turbines"]]
    assert powers == pytest.approx([1753.95, 710.44, 741.64], rel=0.05)
    done = gustbed("whatif", "--turbines", "2", "--hours", "0.2", "--change", "wt01:stop",
                   "--json", folder=tmp_path)  # fmt: skip
    answer = json.loads(done.stdout)
    assert [each["mode"] for each in answer["after"]] == ["stopped", "running"]


def test_the_command_line_writes_labelled_parquet_with_units(tmp_path: Path) -> None:
    import pyarrow.parquet as parquet

    scenario = tmp_path / "s.yaml"
    scenario.write_text(
        "faults: [{turbine: wt02, kind: icing, start: 10, duration: 20, ramp: 4}]",
        encoding="utf-8",
    )
    arguments = ("generate", "--type", "nrel_5mw", "--turbines", "2", "--hours", "0.02",
                 "--seed", "7", "--scenario", str(scenario))  # fmt: skip
    assert gustbed(*arguments, "--out", "a", folder=tmp_path).returncode == 0
    assert gustbed(*arguments, "--out", "b", "--shard", "2/2", folder=tmp_path).returncode == 0
    table = parquet.read_table(tmp_path / "a" / "wt02.parquet")
    assert table.num_rows == 1440
    assert table.schema.field("active_power").metadata[b"unit"] == b"kW"
    label = table["fault_icing"].to_numpy()
    assert label[:200].max() == 0.0
    assert label[14 * 20 : 30 * 20].min() == 1.0
    assert label[31 * 20 :].max() == 0.0
    assert parquet.read_table(tmp_path / "b" / "wt02.parquet").equals(table)
    refused = gustbed(*arguments, "--out", "a", folder=tmp_path)
    assert refused.returncode == 1
    assert "holds a dataset" in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("curve", "--type", "nrel_6mw"),
        ("curve", "--winds", "a"),
        ("wake", "--layout", "missing.yaml"),
        ("generate", "--hours", "0.1", "--out", "x", "--scenario", "missing.yaml"),
        ("generate", "--hours", "0.1", "--out", "x", "--shard", "5/4"),
        ("whatif", "--checkpoint", "missing.npz"),
        ("whatif", "--change", "wt01:gremlins"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_1(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = gustbed(*arguments, folder=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("gustbed: ")
    assert not (tmp_path / "x").exists()
