"""``gustbed model list`` and ``gustbed jobs``: what serves, and how rollouts went."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gustbed_cli.__main__ import app
from gustbed_cli.fleet import load_fleet
from gustbed_cloud import operations
from gustbed_core.edge_http import ModelInfo
from gustbed_core.events import ModelRef
from gustbed_edge.reporting.http_server import HealthServer
from tests.support.edge_http import edge_http
from tests.support.ports import free_port
from tests.unit.cli.fake_cloud import MODEL, FakeCloud, installed


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    monkeypatch.setenv("GUSTBED_HOME", str(tmp_path / "home"))
    for module in ("cloud", "registry"):
        monkeypatch.setattr(f"gustbed_cli.commands.{module}.fleet_with_cloud", load_fleet)
    return installed(monkeypatch)


def listed(*command: str) -> str:
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    return done.stdout


def rollout(cloud: FakeCloud, sequence: int, status: str) -> operations.Job:
    """How the rollout of the n-th approval of 1.2.0 ended; AWS calls it completed either way."""
    cloud.calls = [("approve", None)] * sequence
    approval = cloud.entry("1.2.0", "serve").approval
    assert approval is not None
    reason = "bad_golden" if status == "FAILED" else ""
    execution = operations.Execution("site-1", status, reason, None, None, None)
    return operations.Job(approval.rollout, MODEL, "1.2.0", "COMPLETED", None, None, (execution,))


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Iterator[HealthServer]:
    """An edge's HTTP that tells of the factory's model."""
    with edge_http(ModelInfo(ModelRef(MODEL, "1.0.0"), "mini", "serve", "compact")) as server:
        monkeypatch.setenv("GUSTBED_PORT_EDGE", str(server.port))
        yield server


@pytest.mark.usefixtures("cloud", "edge")
def test_the_factorys_model_is_listed_though_no_registry_has_it() -> None:
    printed = listed("model", "list")

    assert "Models that the edge of site-1 runs" in printed
    row = next(line for line in printed.splitlines() if " mini " in line)
    assert row.split() == [MODEL, "1.0.0", "serve", "mini", "compact", "no"]


@pytest.mark.usefixtures("edge")
def test_a_version_whose_rollout_failed_says_so_in_the_list(cloud: FakeCloud) -> None:
    cloud.versions = {"1.2.0": "Approved"}
    cloud.role = "serve"
    cloud.jobs = [rollout(cloud, 1, "FAILED")]

    assert "FAILED on 1 of 1: site-1: bad_golden" in listed("model", "list")


def test_without_an_edge_the_registry_is_listed_all_the_same(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUSTBED_PORT_EDGE", str(free_port()))
    cloud.versions = {"1.2.0": "Rejected"}

    assert "1.2.0" in listed("model", "list")


def test_a_job_that_is_no_rollout_has_no_role(cloud: FakeCloud) -> None:
    cloud.versions = {"1.2.0": "Approved"}
    theirs = operations.Execution("their-pump", "IN_PROGRESS", "", None, None, None)
    cloud.jobs = [
        operations.Job("theirs", "", "", "IN_PROGRESS", None, None, (theirs,)),
        rollout(cloud, 1, "FAILED"),
        operations.Job("nobody", MODEL, "1.3.0", "COMPLETED", None, None, ()),
    ]

    printed = listed("jobs").splitlines()

    theirs_row = next(line for line in printed if line.startswith("theirs"))
    assert theirs_row.split() == ["theirs", "–", "–", "IN_PROGRESS", "their-pump", "IN_PROGRESS",
                                  "–"]  # fmt: skip
    assert any("FAILED on 1 of 1" in line and "COMPLETED" not in line for line in printed)
    assert any("reached no edge" in line for line in printed)
