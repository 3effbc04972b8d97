"""The stack: least privilege, no message lost without a trace, clean for cfn-lint."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from gustbed_cloud.bundle import FUNCTIONS, bundle
from gustbed_cloud.dashboard import dashboard_choices
from gustbed_cloud.outputs import Outputs
from gustbed_core.aggregates import Aggregate
from gustbed_core.topics import UPLINK_KINDS
from gustbed_core.turbine_types import load_types
from tests.unit.cloud.functions import CLOUD

THING = "${!iot:Connection.Thing.ThingName}"


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their arguments."""


def _argument(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _argument)


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    text = (CLOUD / "stack.yaml").read_text(encoding="utf-8")
    return dict(yaml.load(text, Loader=_Loader))  # noqa: S506 - a SafeLoader


def of_type(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    resources = template["Resources"]
    return {name: r["Properties"] for name, r in resources.items() if r["Type"] == kind}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, role in of_type(template, "AWS::IAM::Role").items():
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement


def test_template_is_clean_for_cfn_lint() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "cfn-lint", CLOUD / "stack.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_template_fits_into_a_request() -> None:
    assert (CLOUD / "stack.yaml").stat().st_size < 51_200


@pytest.mark.promise("S1")
def test_device_policy_names_only_the_thing_itself(template: dict[str, Any]) -> None:
    (policy,) = of_type(template, "AWS::IoT::Policy").values()
    for statement in policy["PolicyDocument"]["Statement"]:
        (action,) = as_list(statement["Action"])
        assert statement["Effect"] == "Allow"
        for resource in as_list(statement["Resource"]):
            place = resource.rpartition("${AWS::AccountId}:")[2]
            kind, _, name = place.partition("/")
            assert (
                kind
                == {
                    "iot:Connect": "client",
                    "iot:Publish": "topic",
                    "iot:Subscribe": "topicfilter",
                    "iot:Receive": "topic",
                }[action]
            )
            levels = name.split("/")
            assert THING in levels
            assert "*" not in "/".join(levels[: levels.index(THING) + 1])


@pytest.mark.promise("S1")
def test_device_may_publish_its_uplink_jobs_and_shadows_only(
    template: dict[str, Any],
) -> None:
    (policy,) = of_type(template, "AWS::IoT::Policy").values()
    (publish,) = (s for s in policy["PolicyDocument"]["Statement"] if s["Action"] == "iot:Publish")
    topics = {r.rpartition("topic/")[2].replace(THING, "T") for r in publish["Resource"]}
    jobs = {"get", "start-next", "*/get", "*/update"}
    assert topics == {f"device/T/{kind}" for kind in UPLINK_KINDS} | {
        f"$aws/things/T/jobs/{verb}" for verb in jobs
    } | {"$aws/things/T/shadow/name/*/update"}


@pytest.mark.promise("S1")
@pytest.mark.parametrize(
    ("action", "kind", "shadows"),
    [("iot:Subscribe", "topicfilter", "+"), ("iot:Receive", "topic", "*")],
)
def test_device_may_hear_of_its_jobs_and_its_shadows_updates_only(
    template: dict[str, Any], action: str, kind: str, shadows: str
) -> None:
    (policy,) = of_type(template, "AWS::IoT::Policy").values()
    (hear,) = (s for s in policy["PolicyDocument"]["Statement"] if s["Action"] == action)
    heard = {r.rpartition(f":{kind}/")[2].replace(THING, "T") for r in hear["Resource"]}
    assert heard == {"$aws/things/T/jobs/*", f"$aws/things/T/shadow/name/{shadows}/update/*"}


def test_device_policy_fits_into_what_aws_iot_takes(template: dict[str, Any]) -> None:
    (policy,) = of_type(template, "AWS::IoT::Policy").values()
    text = json.dumps(policy["PolicyDocument"], separators=(",", ":"))
    names = {
        "${AWS::Partition}": "aws",
        "${AWS::Region}": "ap-southeast-1",
        "${AWS::AccountId}": "123456789012",
        "${!": "${",
    }
    for name, value in names.items():
        text = text.replace(name, value)
    assert len(text) <= 2048


def test_connecting_needs_the_certificate_to_be_attached(template: dict[str, Any]) -> None:
    (policy,) = of_type(template, "AWS::IoT::Policy").values()
    (connect,) = (s for s in policy["PolicyDocument"]["Statement"] if s["Action"] == "iot:Connect")
    assert connect["Condition"] == {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}


def test_no_role_may_do_anything_to_anything(template: dict[str, Any]) -> None:
    found = list(statements(template))
    assert found
    for name, statement in found:
        assert statement["Effect"] == "Allow"
        for action in as_list(statement["Action"]):
            assert "*" not in action, (name, action)
        for resource in as_list(statement["Resource"]):
            assert resource != "*", (name, statement)
            assert resource.strip("*") == resource or ":" in resource or "/" in resource


def test_each_function_has_a_role_and_log_group_of_its_own(template: dict[str, Any]) -> None:
    functions = of_type(template, "AWS::Lambda::Function")
    handlers = {function["Handler"] for function in functions.values()}
    assert handlers == {f"{name}.handler.handler" for name in FUNCTIONS}
    assert len({f["Role"] for f in functions.values()}) == len(functions)
    groups = {g["LogGroupName"] for g in of_type(template, "AWS::Logs::LogGroup").values()}
    for function in functions.values():
        assert function["Timeout"] == 30
        assert f"/aws/lambda/{function['FunctionName']}" in groups


def test_whatever_fails_goes_to_the_dead_letters(template: dict[str, Any]) -> None:
    rules = of_type(template, "AWS::IoT::TopicRule")
    assert rules
    for rule in rules.values():
        error = rule["TopicRulePayload"]["ErrorAction"]["Sqs"]["QueueUrl"]
        assert error == "DeadLetterQueue"
    for name, queue in of_type(template, "AWS::SQS::Queue").items():
        assert name == "DeadLetterQueue" or "DeadLetterQueue" in str(queue["RedrivePolicy"])
    fed = {s["FunctionName"] for s in of_type(template, "AWS::Lambda::EventSourceMapping").values()}
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        assert name in fed or "DeadLetterQueue" in str(function["DeadLetterConfig"])


def test_buckets_are_private_and_encrypted(template: dict[str, Any]) -> None:
    buckets = of_type(template, "AWS::S3::Bucket")
    assert set(buckets) == {"ArtifactBucket", "LakeBucket"}
    for bucket in buckets.values():
        block = bucket["PublicAccessBlockConfiguration"]
        assert len(block) == 4
        assert all(block.values())
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_artifacts_keep_their_versions_and_captures_expire(template: dict[str, Any]) -> None:
    buckets = of_type(template, "AWS::S3::Bucket")
    assert buckets["ArtifactBucket"]["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = buckets["LakeBucket"]["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", "LakeDays")
    assert template["Parameters"]["LakeDays"]["Default"] == 90


def test_captures_go_to_the_lake_and_nothing_else_does(template: dict[str, Any]) -> None:
    rules = of_type(template, "AWS::IoT::TopicRule")
    lake = rules["LakeRule"]["TopicRulePayload"]
    assert lake["Sql"].endswith("FROM 'device/+/capture'")
    assert lake["Actions"][0]["Sqs"]["QueueUrl"] == "LakeQueue"
    ingest = rules["IngestRule"]["TopicRulePayload"]
    assert ingest["Sql"].endswith("FROM 'device/+/+' WHERE topic(3) <> 'capture'")
    sources = of_type(template, "AWS::Lambda::EventSourceMapping")
    # The fewest workers that AWS Lambda accepts: nobody waits for a capture.
    assert sources["LakeIngestSource"]["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert all("ReportBatchItemFailures" in s["FunctionResponseTypes"] for s in sources.values())


def test_lake_is_named_by_day_and_holds_what_lake_ingest_compressed(
    template: dict[str, Any],
) -> None:
    (stream,) = of_type(template, "AWS::KinesisFirehose::DeliveryStream").values()
    delivery = stream["ExtendedS3DestinationConfiguration"]
    prefix = template["Outputs"]["LakePrefix"]["Value"]
    assert delivery["Prefix"] == f"{prefix}!{{timestamp:yyyy/MM/dd}}/"
    assert not delivery["ErrorOutputPrefix"].startswith(prefix)
    assert (delivery["CompressionFormat"], delivery["FileExtension"]) == (
        "UNCOMPRESSED",
        ".jsonl.gz",
    )
    assert stream["DeliveryStreamEncryptionConfigurationInput"] == {"KeyType": "AWS_OWNED_CMK"}


def dashboard(template: dict[str, Any], choices: dict[str, str]) -> dict[str, Any]:
    """The dashboard's body as CloudFormation makes it."""
    (found,) = of_type(template, "AWS::CloudWatch::Dashboard").values()
    text = found["DashboardBody"]
    for name, value in choices.items():
        text = text.replace(f"${{{name}}}", value)
    return dict(json.loads(text))


def test_dashboard_shows_what_was_promised(template: dict[str, Any]) -> None:
    body = dashboard(template, dashboard_choices(load_types().values()))
    titles = " ".join(widget["properties"]["title"].lower() for widget in body["widgets"])
    for word in ("measurement", "anomalies", "per thing", "per turbine type"):
        assert word in titles
    for widget in body["widgets"]:
        assert widget["properties"]["query"].startswith("SOURCE ")
        assert "THING_PATTERN" in widget["properties"]["query"]


def test_dashboard_offers_every_type_and_what_it_measures(
    template: dict[str, Any], tmp_path: Path
) -> None:
    """A type is a file: nothing here names one."""
    text = (
        "name: pump\ntitle: A pump\nrate_hz: 1\n"
        "channels: [{name: flow, unit: l/s}]\naggregates: {flow: {op: mean}}\n"
        "features: [{name: flow, unit: l/s}]\nviolations: {flow: [flow]}\n"
        "window: 10\nstep: 1\n"
    )
    (tmp_path / "pump.yaml").write_text(text)
    types = load_types(tmp_path)
    body = dashboard(template, dashboard_choices(types.values()))
    offered = {
        each["id"]: [choice["value"] for choice in each["values"]]
        for each in body["variables"]
        if "values" in each
    }
    assert offered["type"] == list(types)
    assert "pump" in offered["type"]
    measured = {each.name for kind in types.values() for each in kind.aggregates}
    assert set(offered["measurement"]) == measured
    patterns = {each["pattern"] for each in body["variables"]}
    queries = " ".join(widget["properties"]["query"] for widget in body["widgets"])
    assert all(pattern in queries for pattern in patterns)


def test_dashboards_choices_fit_into_parameters(template: dict[str, Any]) -> None:
    mini = load_types()["mini"]
    many = tuple(Aggregate(f"temperature_of_part_{i}", "mean", ("rps",)) for i in range(200))
    choices = dashboard_choices([replace(mini, aggregates=many)])
    assert all(len(text) <= 4096 for text in choices.values())
    (variable,) = (v for v in dashboard(template, choices)["variables"] if v["id"] == "measurement")
    assert len(variable["values"]) > 40


def test_dashboard_is_whole_without_choices(template: dict[str, Any]) -> None:
    names = ("TurbineTypeChoice", "MeasurementChoice")
    body = dashboard(template, {name: template["Parameters"][name]["Default"] for name in names})
    assert len(body["variables"]) == 3


def test_outputs_are_those_that_the_tools_read(template: dict[str, Any]) -> None:
    names = {"".join(w.capitalize() for w in f.split("_")) for f in Outputs.__dataclass_fields__}
    assert names == set(template["Outputs"])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bundle_is_reproducible_and_needs_nothing_but_python(name: str, tmp_path: Path) -> None:
    first = bundle(name, CLOUD)
    assert first == bundle(name, CLOUD)
    # As Lambda does.
    with zipfile.ZipFile(io.BytesIO(first.data)) as archive:
        archive.extractall(tmp_path)
    script = (
        "import importlib, sys; sys.path.insert(0, sys.argv[1]); "
        "importlib.import_module(sys.argv[2]).handler"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, str(tmp_path), f"{name}.handler"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_bundle_changes_with_its_source(tmp_path: Path) -> None:
    folder = tmp_path / "functions" / "alert"
    folder.mkdir(parents=True)
    text = (CLOUD / "functions" / "alert" / "handler.py").read_text()
    (folder / "handler.py").write_text(text + "\n# changed\n")
    assert bundle("alert", tmp_path).key != bundle("alert", CLOUD).key
