"""A new model, from training to every turbine's next verdict."""

import threading
from pathlib import Path
from typing import Any

import pytest

from gustbed_cli.fleet import load_fleet
from gustbed_cli.runtime.selection import current_backend
from gustbed_core import topics
from gustbed_core.codec import decoder
from gustbed_core.events import Verdict
from gustbed_core.mqtt import Session
from tests.support.fleet import RunningFleet
from tests.support.packages import shipped_again
from tests.support.ports import wait_until

_decode = decoder(Verdict)


class VerdictRecord:
    """Every verdict of every turbine, as it is published."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_turbine: dict[str, list[Verdict]] = {}

    def receive(self, _topic: str, payload: bytes) -> None:
        verdict = _decode(payload)
        with self.lock:
            self.by_turbine.setdefault(verdict.turbine, []).append(verdict)

    def gaps(self) -> int:
        """Blocks between the first and the last that had no verdict of a model."""
        with self.lock:
            missing = 0
            for verdicts in self.by_turbine.values():
                seqs = [verdict.seq for verdict in verdicts]
                missing += seqs[-1] - seqs[0] + 1 - len(set(seqs))
                missing += sum(verdict.score is None for verdict in verdicts)
            return missing

    def versions(self) -> set[str]:
        """Model versions that spoke."""
        with self.lock:
            return {v.model.version for vs in self.by_turbine.values() for v in vs if v.model}


def model_of(fleet: RunningFleet, folder: Path) -> tuple[list[str], str]:
    """How a new model is registered, and its version.

    It is trained where the fleet runs as processes. Containers change nothing of training, which is
    the same program on this machine and takes minutes: there the shipped model goes out again.
    """
    if fleet.environment["RUNTIME"] == "docker":
        return [str(shipped_again("2.0.0", folder)), "--despite-gate", "made by a test"], "2.0.0"
    path = folder / "package.tar.gz"
    trained = fleet.json("model", "train", "--seed", "5", "--out", str(path), timeout=900)
    return [str(path)], trained["version"]


@pytest.mark.promise("O7")
@pytest.mark.slow
def test_a_new_model_is_trained_approved_and_rolled_out_without_a_gap(
    fleet: RunningFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in fleet.environment.items():
        monkeypatch.setenv(name, value)
    wait_until(lambda: all(t["score"] for t in fleet.turbines().values()), "all are scored", 60)
    old = fleet.edge()["model"]["version"]
    lost = {t["id"]: t["lost"] for t in fleet.turbines().values()}
    register, new = model_of(fleet, tmp_path)

    record = VerdictRecord()
    mine: Any = load_fleet()
    watch = {topics.every("verdict", mine.site.site): record.receive}
    broker = current_backend(mine).operator()
    with Session(broker, user="operator", client_id="rollout-test", subscriptions=watch):
        wait_until(lambda: len(record.by_turbine) == 6, "verdicts arrive")
        fleet.cli("model", "register", *register)
        fleet.cli("model", "approve", new)

        def finished() -> bool:
            jobs = fleet.json("jobs")
            return any(
                execution["status"] in ("SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT")
                for job in jobs
                if job["version"] == new
                for execution in job["executions"]
            )

        wait_until(finished, "the job ends", 60)
        (job,) = (job for job in fleet.json("jobs") if job["version"] == new)
        assert [execution["status"] for execution in job["executions"]] == ["SUCCEEDED"], job
        wait_until(lambda: new in record.versions(), "the new model speaks")
    assert fleet.edge()["model"]["version"] == new
    assert record.versions() == {old, new}
    assert record.gaps() == 0
    assert {t["id"]: t["lost"] for t in fleet.turbines().values()} == lost
