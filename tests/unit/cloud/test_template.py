"""The stack: least privilege, no message lost without a trace, clean for cfn-lint."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from gustbed_cloud.bundle import FUNCTIONS
from gustbed_cloud.dashboard import dashboard_choices
from gustbed_cloud.outputs import Outputs
from gustbed_core.aggregates import Aggregate
from gustbed_core.jobs import presigned_placeholder
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


def policies(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """IoT policies, by what they are for."""
    found = of_type(template, "AWS::IoT::Policy")
    assert set(found) == {"DevicePolicy", "ForeignDevicePolicy"}
    return {"edge": found["DevicePolicy"], "device": found["ForeignDevicePolicy"]}


ROLES = pytest.mark.parametrize("role", ["edge", "device"])


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


@ROLES
@pytest.mark.promise("S1")
def test_device_policy_names_only_the_thing_itself(template: dict[str, Any], role: str) -> None:
    policy = policies(template)[role]
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
    policy = policies(template)["edge"]
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
    policy = policies(template)["edge"]
    (hear,) = (s for s in policy["PolicyDocument"]["Statement"] if s["Action"] == action)
    heard = {r.rpartition(f":{kind}/")[2].replace(THING, "T") for r in hear["Resource"]}
    assert heard == {"$aws/things/T/jobs/*", f"$aws/things/T/shadow/name/{shadows}/update/*"}


@ROLES
def test_device_policy_fits_into_what_aws_iot_takes(template: dict[str, Any], role: str) -> None:
    policy = policies(template)[role]
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


@ROLES
def test_connecting_needs_the_certificate_to_be_attached(
    template: dict[str, Any], role: str
) -> None:
    policy = policies(template)[role]
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
            # A choice between two is a list of both.
            text = str(resource)
            assert text.strip("*") == text or ":" in text or "/" in text


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


def test_dashboards_filters_are_whole_expressions_whatever_is_chosen(
    template: dict[str, Any],
) -> None:
    """Between slashes: one within them, unescaped, would end an expression early."""
    body = dashboard(template, dashboard_choices(load_types().values()))
    (things,) = (v for v in body["variables"] if v["pattern"] == "THING_PATTERN")
    for widget in body["widgets"]:
        query = widget["properties"]["query"].replace("THING_PATTERN", things["defaultValue"])
        between = re.search(r" like /((?:[^/\\]|\\.)*)/ ", f"{query} ")
        assert between is not None, query
        stream = re.compile(between[1].replace(r"\/", "/"))
        kind = between[1].rpartition("/")[2].rstrip("$")
        for thing in ("gustbed-site-1", "a:b_c-1"):
            assert stream.fullmatch(f"{thing}/{kind}"), query
            assert not stream.fullmatch(f"{thing}/more/{kind}")


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


def trusted_by(template: dict[str, Any], service: str) -> Iterator[dict[str, Any]]:
    for role in of_type(template, "AWS::IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        if statement["Principal"] == {"Service": service}:
            yield statement


def test_iot_assumes_roles_for_this_account_only(template: dict[str, Any]) -> None:
    rules, jobs = (
        statement["Condition"] for statement in trusted_by(template, "iot.amazonaws.com")
    )
    for condition, kind in ((rules, "rule"), (jobs, "job")):
        assert condition["StringEquals"] == {"aws:SourceAccount": "AWS::AccountId"}
        source = condition["ArnLike"]["aws:SourceArn"]
        assert source.endswith(f":iot:${{AWS::Region}}:${{AWS::AccountId}}:{kind}/*")


def test_alerts_are_encrypted_with_a_key_that_alarms_may_use(template: dict[str, Any]) -> None:
    (topic,) = of_type(template, "AWS::SNS::Topic").values()
    assert topic["KmsMasterKeyId"] == "AlertTopicKey"
    policy = of_type(template, "AWS::KMS::Key")["AlertTopicKey"]["KeyPolicy"]["Statement"]
    (alarms,) = (s for s in policy if s["Principal"] == {"Service": "cloudwatch.amazonaws.com"})
    assert alarms["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": "AWS::AccountId"}}


def test_whatever_is_amiss_raises_an_alarm_that_people_hear(template: dict[str, Any]) -> None:
    alarms = of_type(template, "AWS::CloudWatch::Alarm").values()
    watched = {(a["MetricName"], a["Dimensions"][0]["Value"]) for a in alarms}
    functions = of_type(template, "AWS::Lambda::Function")
    queues = set(of_type(template, "AWS::SQS::Queue")) - {"DeadLetterQueue"}
    assert watched == {
        ("ApproximateNumberOfMessagesVisible", "DeadLetterQueue.QueueName"),
        *(("ApproximateAgeOfOldestMessage", f"{queue}.QueueName") for queue in queues),
        *((metric, name) for name in functions for metric in ("Errors", "Throttles")),
    }
    assert all(alarm["AlarmActions"] == ["AlertTopic"] for alarm in alarms)
    (mail,) = of_type(template, "AWS::SNS::Subscription").values()
    assert (mail["TopicArn"], mail["Endpoint"]) == ("AlertTopic", "AlertEmail")


def test_logs_are_kept_as_long_as_they_may_come_late(template: dict[str, Any]) -> None:
    """CloudWatch Logs takes events of the last 14 days, and drops what retention has passed."""
    assert min(template["Parameters"]["LogRetentionDays"]["AllowedValues"]) == 14


def test_every_partition_has_its_own_hosts(template: dict[str, Any]) -> None:
    packager = of_type(template, "AWS::Lambda::Function")["ModelPackagerFunction"]
    assert packager["Environment"]["Variables"]["URL_SUFFIX"] == "AWS::URLSuffix"
    text = presigned_placeholder("b", "k", "cn-north-1", "amazonaws.com.cn")
    assert text.endswith("https://s3.cn-north-1.amazonaws.com.cn/b/k}")
    source = (CLOUD / "stack.yaml").read_text()
    assert "arn:aws:" not in source
    assert "amazonaws.com/" not in source


def test_fleets_group_has_the_name_that_taking_down_looks_for(template: dict[str, Any]) -> None:
    (group,) = of_type(template, "AWS::IoT::ThingGroup").values()
    assert group["ThingGroupName"] == "${AWS::StackName}-edges"
    assert template["Outputs"]["ThingGroupName"]["Value"] == "${AWS::StackName}-edges"
