"""A registry with some versions of one model, in the place of the cloud's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gustbed_cli.commands import registry
from gustbed_cloud import operations

MODEL = registry.NAME


class FakeCloud:
    """A registry with some versions of one model."""

    def __init__(self, **versions: str) -> None:
        self.versions = {name.lstrip("v").replace("_", "."): s for name, s in versions.items()}
        self.approved: Path | None = None
        self.calls: list[tuple[str, Any]] = []
        self.jobs: list[operations.Job] = []
        self.followed: list[tuple[str, float]] = []
        self.captures = 3
        self.role: str | None = None

    def follow(self, approved: operations.ModelVersion, within: float) -> None:
        self.followed.append((approved.version, within))

    def entry(self, version: str, role: Any = None) -> operations.ModelVersion:
        status: Any = self.versions[version]
        approval = operations.ApprovalRecord(
            MODEL, version, len(self.calls), "approved", "operator", "arn:ann", 0.0, "",
            operations.GateResult(passed=True), role or "serve",
        )  # fmt: skip
        return operations.ModelVersion(
            MODEL, version, status, 0.0, None, f"s3://b/models/{MODEL}/{version}/p", "arn", role,
            approval=approval if role else None,
        )  # fmt: skip


def installed(monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """A cloud that every command finds until the test ends."""
    fake = FakeCloud()

    def register(
        _: object, path: Path, gate_override: str, pipelines: Path | None
    ) -> operations.ModelVersion:
        fake.calls.append(("register", (path, gate_override, pipelines)))
        fake.versions["9.9.9"] = "PendingManualApproval"
        return fake.entry("9.9.9")

    def approve(
        _: object, _name: str, version: str, *, rollback: bool, shadow: bool
    ) -> operations.ModelVersion:
        fake.calls.append(("approve", (version, rollback, shadow)))
        fake.versions[version] = "Approved"
        return fake.entry(version, "shadow" if shadow else "serve")

    def fetch(_: object, folder: Path) -> int:
        fake.calls.append(("fetch", folder))
        return fake.captures

    replaced: dict[str, Callable[..., Any]] = {
        "connect": lambda: fake,
        "list_models": lambda _, _name: [fake.entry(v, fake.role) for v in fake.versions],
        "approved_package": lambda _, _name, _folder: fake.approved,
        "register_model": register,
        "approve_model": approve,
        "follow_rollout": lambda _, approved, within, _report: fake.follow(approved, within),
        "list_jobs": lambda _: fake.jobs,
        "fetch_captures": fetch,
    }
    for name, function in replaced.items():
        monkeypatch.setattr(operations, name, function)
    return fake
