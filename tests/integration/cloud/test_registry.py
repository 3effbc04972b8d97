"""What the registry keeps of a version, and what it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gustbed_cloud import operations
from gustbed_core.errors import GustbedError
from gustbed_core.package import PackageError
from gustbed_core.registrations import GateResult, registration_key
from tests.integration.cloud.rollouts import (
    approved_as,
    has_job,
    package,
    roles,
)
from tests.support.packages import tiny_package, write_passed
from tests.support.ports import wait_until


def test_registered_package_and_its_card_can_be_fetched(
    client: operations.Cloud, tmp_path: Path
) -> None:
    path = tmp_path / "carded.tar.gz"
    tiny = tiny_package("1.0.0", name="carded")
    manifest = replace(tiny.manifest, metrics={"vus_pr": 0.75, "care": 0.5})
    write_passed(replace(tiny, manifest=manifest, card="# A card\n"), path)
    registered = operations.register_model(client, path)
    assert registered.metrics == {"vus_pr": 0.75, "care": 0.5}
    fetched = operations.fetch_package(client, "carded", "1.0.0", tmp_path / "fetched")
    assert fetched.read_bytes() == path.read_bytes()
    assert operations.model_card(client, "carded", "1.0.0") == "# A card\n"
    # The decision does not lose what the registry was told.
    assert operations.reject_model(client, "carded", "1.0.0").metrics == registered.metrics
    described = client.client("sagemaker").describe_model_package(ModelPackageName=registered.arn)
    statistics = described["ModelMetrics"]["ModelQuality"]["Statistics"]
    bucket, _, key = statistics["S3Uri"].removeprefix("s3://").partition("/")
    stored = client.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert json.loads(stored) == registered.metrics
    with pytest.raises(GustbedError, match=r"carded 9\.9\.9: not registered"):
        operations.fetch_package(client, "carded", "9.9.9", tmp_path)


def test_reason_for_passing_by_the_quality_gate_stays_with_the_version(
    client: operations.Cloud, tmp_path: Path
) -> None:
    path = tmp_path / "ungated.tar.gz"
    tiny = tiny_package("1.0.0", name="ungated")
    write_passed(replace(tiny, manifest=replace(tiny.manifest, training={})), path)
    with pytest.raises(GustbedError, match="--despite-gate"):
        operations.register_model(client, path)
    assert operations.list_models(client, "ungated") == []
    reason = "Ann's demo, see #12 (agreed)"
    registered = operations.register_model(client, path, gate_override=f" {reason}\n")
    assert registered.gate == GateResult(passed=False, override=reason)
    shadow = operations.approve_model(client, "ungated", "1.0.0", shadow=True)
    assert (shadow.role, shadow.gate.override) == ("shadow", reason)
    assert approved_as(shadow).gate == registered.gate
    wait_until(lambda: roles(client, "ungated", "1.0.0") == ["shadow"], "it is rolled out")


def test_registering_a_version_twice_is_refused(client: operations.Cloud, tmp_path: Path) -> None:
    path = package(tmp_path, "2.0.0")
    operations.register_model(client, path)
    with pytest.raises(GustbedError, match=r"tiny 2\.0\.0 is registered already"):
        operations.register_model(client, path)
    versions = [model.version for model in operations.list_models(client, "tiny")]
    assert versions.count("2.0.0") == 1
    assert versions == sorted(versions, key=lambda v: [int(p) for p in v.split(".")], reverse=True)


def test_truncated_package_is_not_registered(client: operations.Cloud, tmp_path: Path) -> None:
    path = package(tmp_path, "3.0.0")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(PackageError):
        operations.register_model(client, path)
    assert "3.0.0" not in [model.version for model in operations.list_models(client)]


def test_version_approved_by_an_earlier_gustbed_keeps_its_role(
    client: operations.Cloud, tmp_path: Path
) -> None:
    registered = operations.register_model(client, package(tmp_path, "1.0.0", "earlier"))
    bucket, sagemaker = client.outputs.artifact_bucket, client.client("sagemaker")
    client.client("s3").delete_object(Bucket=bucket, Key=registration_key("earlier", "1.0.0"))
    rule = "gustbed-model-approved"
    client.client("events").disable_rule(Name=rule)
    try:
        sagemaker.update_model_package(
            ModelPackageArn=registered.arn,
            ModelApprovalStatus="Approved",
            ApprovalDescription="shadow (despite its quality gate: a trial)",
        )
        wait_until(lambda: operations.list_models(client, "earlier")[0].role, "it is approved")
    finally:
        client.client("events").enable_rule(Name=rule)
    fresh = operations.connect()
    (found,) = operations.list_models(fresh, "earlier")
    assert (found.role, found.turbine_type, found.approval) == ("shadow", "mini", None)
    promoted = operations.promote_model(fresh, "earlier", "1.0.0")
    wait_until(lambda: has_job(fresh, promoted), "it is rolled out")
