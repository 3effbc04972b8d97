"""The quality gate of registration, and which version is to serve."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gustbed_cloud import operations
from gustbed_cloud.models import serving_model
from gustbed_cloud.registration import MAX_REASON
from gustbed_core.errors import GustbedError
from gustbed_core.package import write_package
from tests.support.packages import tiny_package


class NobodyAskedError(Exception):
    """The cloud was asked."""


class Nobody:
    """A cloud that must not be asked."""

    def __getattr__(self, name: str) -> Any:
        raise NobodyAskedError(name)


NOBODY: Any = Nobody()


def package(folder: Path, training: dict[str, str]) -> Path:
    path = folder / "package.tar.gz"
    tiny = tiny_package()
    write_package(replace(tiny, manifest=replace(tiny.manifest, training=training)), path)
    return path


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({}, "it names no quality gate"),
        ({"gate": ""}, "it names no quality gate"),
        ({"gate": "failed: worse than pca"}, "its quality gate says 'failed: worse than pca'"),
        ({"gate": "Passed"}, "its quality gate says 'Passed'"),
    ],
)
@pytest.mark.parametrize("reason", ["", " \n\t", "\x00\x1b"])
def test_package_that_did_not_pass_its_gate_needs_a_reason(
    tmp_path: Path, training: dict[str, str], said: str, reason: str
) -> None:
    with pytest.raises(GustbedError) as refused:
        operations.register_model(NOBODY, package(tmp_path, training), reason)
    assert said in str(refused.value)
    assert "--despite-gate REASON" in str(refused.value)


def test_reason_that_is_a_novel_is_refused(tmp_path: Path) -> None:
    path = package(tmp_path, {})
    with pytest.raises(GustbedError, match=f"use at most {MAX_REASON}"):
        operations.register_model(NOBODY, path, "x" * (MAX_REASON + 1))
    with pytest.raises(NobodyAskedError):
        operations.register_model(NOBODY, path, "x" * MAX_REASON)


def test_package_that_passed_needs_none(tmp_path: Path) -> None:
    with pytest.raises(NobodyAskedError):
        operations.register_model(NOBODY, package(tmp_path, {"gate": "passed"}))


def version(
    number: str, sequence: int, role: Any = "serve", *, rollback: bool = False
) -> operations.ModelVersion:
    record = operations.ApprovalRecord(
        "m", number, sequence, "approved" if role else "rejected", "operator", "arn:ann", 0.0, "",
        operations.GateResult(passed=True), role or "serve", rollback,
    )  # fmt: skip
    status: Any = "Approved" if role else "Rejected"
    return operations.ModelVersion(
        "m", number, status, 0.0, None, "", "", role, rollback, record if sequence else None
    )


@pytest.mark.parametrize(
    ("models", "serving"),
    [
        ([], None),
        ([version("1.0.0", 1, None)], None),
        ([version("1.0.0", 1, "shadow")], None),
        ([version("1.10.0", 1), version("1.9.0", 2)], "1.10.0"),
        ([version("1.2.0", 2), version("1.1.0", 3, rollback=True)], "1.1.0"),
        ([version("1.3.0", 4), version("1.2.0", 2), version("1.1.0", 3, rollback=True)], "1.3.0"),
        # Approved again after a rollback.
        ([version("1.2.0", 4), version("1.1.0", 3, rollback=True)], "1.2.0"),
        ([version("1.2.0", 2), version("1.3.0", 3, "shadow")], "1.2.0"),
        ([version("1.2.0", 2), version("1.3.0", 3, None)], "1.2.0"),
        # Approved by an earlier Gustbed, which kept no records.
        ([version("1.3.0", 0), version("1.2.0", 1, rollback=True)], "1.2.0"),
    ],
)
def test_the_version_that_edges_end_with_is_to_serve(
    models: list[operations.ModelVersion], serving: str | None
) -> None:
    found = serving_model(models)
    assert (found.version if found else None) == serving
