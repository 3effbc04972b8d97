"""The quality gate of registration, and which version is to serve."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gustbed_cloud import operations
from gustbed_cloud.models import serving_model
from gustbed_cloud.registration import MAX_REASON
from gustbed_core.archive import GATE, MANIFEST, read_members
from gustbed_core.errors import GustbedError
from gustbed_core.gate_report import SignedReport, report_from_json
from gustbed_core.package import pack_members, sha256, write_package
from tests.support.packages import (
    PIPELINE,
    THRESHOLDS,
    SigningKey,
    tiny_graph,
    tiny_package,
    write_passed,
)
from tests.support.paths import ROOT

FACTORY = ROOT / "services" / "edge" / "gustbed_edge" / "factory"


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
    write_passed(replace(tiny, manifest=replace(tiny.manifest, training=training)), path)
    return path


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({}, "it names no quality gate"),
        ({"gate": ""}, "it names no quality gate"),
        ({"gate": "failed: worse than pca"}, "its quality gate says 'failed: worse than pca'"),
        ({"gate": "Passed"}, "its quality gate says 'Passed'"),
        ({"gate": "passed: nearly"}, "its quality gate says 'passed: nearly'"),
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


@pytest.fixture
def pipelines(tmp_path: Path) -> Path:
    """The keys of pipelines that are trusted."""
    folder = tmp_path / "pipelines"
    folder.mkdir()
    (folder / f"{PIPELINE.key_id}.pem").write_bytes(PIPELINE.public_pem())
    return folder


@pytest.mark.promise("S5")
def test_package_that_passed_needs_none(tmp_path: Path, pipelines: Path) -> None:
    with pytest.raises(NobodyAskedError):
        operations.register_model(NOBODY, package(tmp_path, PASSED), pipelines=pipelines)


PASSED = {"gate": "passed"}
Repack = Callable[[dict[str, bytes]], dict[str, bytes]]
REPACKED: dict[str, tuple[Repack, str]] = {
    "no report": (lambda m: m | {GATE: b""}, "not a gate's report"),
    "other model": (
        lambda m: with_model(m, tiny_graph(dict.fromkeys(THRESHOLDS, 5.0))),
        "about another package",
    ),
    "other word": (lambda m: edited(m, "result", "passed!"), "signature of its gate's report"),
    "other digest": (
        lambda m: edited(with_model(m, b""), "manifest", sha256(with_model(m, b"")[MANIFEST])),
        "signature of its gate's report",
    ),
    "unknown pipeline": (
        lambda m: signed_by(m, SigningKey("stranger")),
        "'stranger', which is not among the pipelines trusted",
    ),
    "borrowed name": (
        lambda m: signed_by(m, SigningKey(PIPELINE.key_id)),
        "signature of its gate's report",
    ),
    "path for a key": (lambda m: signed_by(m, SigningKey("../pipelines/x")), "not among"),
}


def with_model(members: dict[str, bytes], model: bytes) -> dict[str, bytes]:
    """Another model, and the checksums that fit it."""
    manifest = json.loads(members[MANIFEST])
    manifest["checksums"]["model.onnx"] = sha256(model)
    return members | {"model.onnx": model, MANIFEST: json.dumps(manifest).encode()}


def edited(members: dict[str, bytes], field: str, value: str) -> dict[str, bytes]:
    """The report with another field, its signature kept."""
    content = json.loads(members[GATE])
    content["report"][field] = value
    return members | {GATE: json.dumps(content).encode()}


def signed_by(members: dict[str, bytes], key: SigningKey) -> dict[str, bytes]:
    report = report_from_json(members[GATE]).report
    return members | {GATE: SignedReport(report, key.sign(report)).to_json()}


@pytest.mark.promise("S5")
@pytest.mark.parametrize("case", REPACKED)
def test_package_that_was_made_up_to_have_passed_is_not_taken(
    case: str, tmp_path: Path, pipelines: Path
) -> None:
    repack, says = REPACKED[case]
    path = package(tmp_path, PASSED)
    path.write_bytes(pack_members(repack(read_members(path.read_bytes()))))
    with pytest.raises(GustbedError) as refused:
        operations.register_model(NOBODY, path, pipelines=pipelines)
    assert says in str(refused.value)
    assert "--despite-gate REASON" in str(refused.value)


def test_package_whose_manifest_alone_says_passed_is_not_taken(
    tmp_path: Path, pipelines: Path
) -> None:
    path = tmp_path / "package.tar.gz"
    write_package(tiny_package(training=PASSED), path)
    with pytest.raises(GustbedError, match="nobody has signed that it passed"):
        operations.register_model(NOBODY, path, pipelines=pipelines)
    with pytest.raises(NobodyAskedError):
        operations.register_model(NOBODY, path, "an old one", pipelines=pipelines)


def test_factory_models_are_honest_about_having_no_report(pipelines: Path) -> None:
    for path in sorted(FACTORY.glob("*/package.tar.gz")):
        with pytest.raises(GustbedError, match="nobody has signed"):
            operations.register_model(NOBODY, path, pipelines=pipelines)


def test_report_that_says_no_is_worth_no_more_than_none(tmp_path: Path, pipelines: Path) -> None:
    path = package(tmp_path, {"gate": "worse than pca"})
    members = read_members(path.read_bytes())
    manifest = json.loads(members[MANIFEST]) | {"training": PASSED}
    path.write_bytes(pack_members(members | {MANIFEST: json.dumps(manifest).encode()}))
    with pytest.raises(GustbedError, match="about another package"):
        operations.register_model(NOBODY, path, pipelines=pipelines)


@pytest.mark.parametrize("decide", [operations.approve_model, operations.promote_model])
def test_version_that_neither_passed_nor_has_a_reason_is_not_approved(
    decide: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    role = "shadow" if decide is operations.promote_model else None
    known = replace(version("1.0.0", 1, role), gate=operations.GateResult(passed=False))
    monkeypatch.setattr("gustbed_cloud.approvals.find_model", lambda *_: known)
    with pytest.raises(GustbedError, match="did not pass its quality gate"):
        decide(NOBODY, "m", "1.0.0")


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
