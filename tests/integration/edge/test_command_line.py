"""The command line: exit codes, one-line errors, offline scores that equal the service's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gustbed_core.enrolment import request_path
from gustbed_core.package import write_package
from gustbed_core.signals import Decision
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.recordings import read_recording, score_recording
from tests.support.packages import CHANNELS, MINI_TYPE, calm, excited, mill_package, tiny_package
from tests.support.ports import free_port


def edge(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GUSTBED_")}
    return subprocess.run(
        [sys.executable, "-m", "gustbed_edge", *arguments],
        env=clean | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    values = np.concatenate([calm(40), excited(40)], axis=1).T
    path = tmp_path / "recording.csv"
    lines = [",".join(CHANNELS)] + [",".join(map(repr, row.tolist())) for row in values]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "package.tar.gz"
    write_package(tiny_package(), path)
    return path


def test_a_recording_is_scored_one_verdict_per_step(recording: Path, package: Path) -> None:
    done = edge("score", str(recording), "--package", str(package), "--json")
    assert done.returncode == 0, done.stderr
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [v["sample"] for v in verdicts] == list(range(20, 81, 10))
    assert [v["state"] for v in verdicts] == ["ok"] * 3 + ["ok"] + ["anomaly"] * 3
    assert verdicts[-1]["violations"] == ["voltage"]
    assert verdicts[-1]["ratios"]["voltage"] == pytest.approx(1.8)
    assert verdicts[-1]["model"] == {"name": "tiny", "version": "1.0.0"}


def test_offline_scores_are_the_services(recording: Path) -> None:
    detector = Detector(tiny_package())
    values = read_recording(recording, detector.manifest)
    offline = list(score_recording(values, detector))
    for verdict in offline:
        window = values[None, :, verdict.sample - 20 : verdict.sample]
        expected = dict(
            zip(MINI_TYPE.schema.feature_names, detector.score(window)[0].tolist(), strict=True)
        )
        assert verdict.ratios == pytest.approx(expected, abs=1e-6)


def test_a_recording_of_another_type_is_scored_with_its_package(tmp_path: Path) -> None:
    package, path = tmp_path / "package.tar.gz", tmp_path / "mill.csv"
    write_package(mill_package(window=1, decision=Decision(2, 3, smooth=2)), package)
    path.write_text("door,rotor,current,shaft\n1,20,10,20\n1,20,150,20\n1,20,10,20\n")
    done = edge("score", str(path), "--package", str(package), "--json")
    assert done.returncode == 0, done.stderr
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [v["ratios"]["current"] for v in verdicts] == pytest.approx([0.2, 1.6, 1.6])
    assert [v["violations"] for v in verdicts] == [[], ["electrical"], ["electrical"]]
    path.write_text("rotor,current\n20,10\n")
    done = edge("score", str(path), "--package", str(package))
    assert done.returncode == 1
    assert "no column shaft" in done.stderr


def test_the_table_is_for_people(recording: Path, package: Path) -> None:
    done = edge("score", str(recording), "--package", str(package))
    assert done.stdout.splitlines()[0].split() == ["sample", "state", "score", "violations"]
    assert done.stdout.splitlines()[-1].split() == ["80", "anomaly", "1.800", "voltage"]


BAD = {
    "voltage,rps\n1,2\n": "no column",
    "": "no column",
    f"{','.join(CHANNELS)}\n": "no samples",
    f"{','.join(CHANNELS)}\n1,2\n": "line 2: 2 fields",
    f"{','.join(CHANNELS)}\n{','.join(['x'] * 18)}\n": "line 2, rps",
    f"{','.join(CHANNELS)}\n{','.join(['nan'] * 18)}\n": "not finite",
}


@pytest.mark.parametrize("content", BAD)
def test_a_bad_recording_is_named_with_line_and_column(content: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    done = edge("score", str(path))
    assert done.returncode == 1
    assert done.stderr.startswith(f"gustbed-edge: {path}")
    assert BAD[content] in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_package_that_is_none_is_named(recording: Path, tmp_path: Path) -> None:
    path = tmp_path / "package.tar.gz"
    for make in (lambda: None, lambda: path.write_bytes(b"nonsense")):
        make()
        done = edge("score", str(recording), "--package", str(path))
        assert done.returncode == 1
        assert done.stderr.startswith(f"gustbed-edge: {path}")
        assert len(done.stderr.splitlines()) == 1


def test_csr_prints_where_the_request_is(tmp_path: Path) -> None:
    done = edge(
        "csr",
        GUSTBED_SITE="north",
        GUSTBED_EDGE_DATA_DIR=str(tmp_path / "edge"),
        GUSTBED_EDGE_ENROL_DIR=str(tmp_path / "enrol"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(request_path(tmp_path / "enrol", "gustbed-north"))
    assert Path(done.stdout.strip()).exists()


def test_health_of_no_edge_is_a_failure_with_the_address() -> None:
    port = free_port()
    done = edge("health", GUSTBED_EDGE_HTTP_PORT=str(port))
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GUSTBED_EDGE_OPEN_AFTER", "0"),
        ("GUSTBED_EDGE_HTTP_PORT", "http"),
        ("GUSTBED_EDGE_LEGACY_TURBINE", "a/b"),
        ("GUSTBED_EDGE_LEGACY_TURBINE", "wt99"),
        ("GUSTBED_EDGE_UPLINK", "wt99"),
        ("GUSTBED_EDGE_UPLINK_MAX_RATE", "0"),
        ("GUSTBED_SITE", "a/b"),
        ("GUSTBED_TURBINES", "0"),
        ("GUSTBED_MQTT_PORT", "99999"),
    ],
)
def test_a_bad_variable_is_named(variable: str, value: str, tmp_path: Path) -> None:
    done = edge("run", GUSTBED_EDGE_DATA_DIR=str(tmp_path), **{variable: value})
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"gustbed-edge: {variable}")
    assert "Traceback" not in done.stderr


def test_a_missing_password_file_is_named(tmp_path: Path) -> None:
    done = edge(
        "run",
        GUSTBED_EDGE_DATA_DIR=str(tmp_path / "edge"),
        GUSTBED_EDGE_HTTP_PORT="0",
        GUSTBED_MQTT_CREDENTIALS_DIR=str(tmp_path / "none"),
    )
    assert done.returncode == 1
    assert "edge.password" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_usage_is_exit_code_2() -> None:
    assert edge("fly").returncode == 2
    assert edge().returncode == 2
