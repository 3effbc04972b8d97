"""What is checked of every AWS call: that AWS would take its values, from whoever makes it."""

from typing import Any

import pytest

from tests.support import aws_contract
from tests.support.aws_contract import ContractError, check, problems, who_calls
from tests.support.aws_rights import denied, environment, rendered, role
from tests.unit.cloud.functions import FakeLogs, load

GROUP = "/gustbed/fleet"
JOB = {
    "jobId": "windturbine-1_2_0-1-809151",
    "targets": ["arn:aws:iot:eu-central-1:123456789012:thinggroup/gustbed-edges"],
    "document": "{}",
    "presignedUrlConfig": {"roleArn": environment("job_creator")["PRESIGN_ROLE_ARN"]},
}


def test_request_that_aws_takes_has_no_problem() -> None:
    assert problems("iot", "CreateJob", JOB) == []


@pytest.mark.promise("P1")
@pytest.mark.parametrize(
    ("service", "operation", "parameters", "found"),
    [
        ("iot", "CreateJob", {**JOB, "targetSelection": "ALL"}, "is none of CONTINUOUS, SNAPSHOT"),
        ("iot", "CreateJob", {**JOB, "jobId": "wind turbine"}, "does not match"),
        ("iot", "CreateJob", {**JOB, "jobId": "x" * 65}, "65 is more than 64"),
        ("iot", "CreateJob", {**JOB, "document": "x" * 32_769}, "is more than 32768"),
        ("iot", "CreateJob", {**JOB, "targets": []}, "0 is less than 1"),
        ("iot", "CreateJob", {**JOB, "target": "x"}, "Unknown parameter"),
        ("iot", "CreateJob", {"jobId": "x"}, "Missing required parameter"),
        ("iot", "DescribeThing", {"thingName": "a/b"}, "does not match"),
        ("sqs", "GetQueueAttributes", {"QueueUrl": "q", "AttributeNames": ["X"]}, "is none of"),
        ("kms", "Sign", {"KeyId": "k", "Message": b"x" * 4097, "SigningAlgorithm": "Y"}, "4097"),
        ("sagemaker", "ListModelPackageGroups", {"NameContains": "a_b"}, "does not match"),
        ("sagemaker", "ListModelPackageGroups", {"MaxResults": 101}, "101 is more than 100"),
        ("sts", "GetCallerIdentity", {"x": 1}, "Unknown parameter"),
    ],
)
def test_value_that_aws_refuses_is_found(
    service: str, operation: str, parameters: dict[str, Any], found: str
) -> None:
    assert found in "\n".join(problems(service, operation, parameters))


def test_refused_call_is_an_error_and_is_kept_for_code_that_swallows_it() -> None:
    with pytest.raises(ContractError, match="operate: iot:DescribeThing"):
        check("iot", "DescribeThing", {"thingName": ""}, "operate")
    assert "less than 1" in aws_contract.violations.pop()


def test_calls_are_the_functions_the_products_or_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    cloudwatch = load("log_ingest").write.__globals__
    asked: list[str] = []
    monkeypatch.setattr(aws_contract, "check", lambda *call: asked.append(call[-1]))
    logs = FakeLogs()
    logs.create_log_stream(logGroupName=GROUP, logStreamName="a/b")
    cloudwatch["write"](logs, GROUP, "a/b", [(0, "{}")], 0.0)
    load("log_ingest").ingest({"Records": [{"messageId": "m", "body": "x"}]}, logs, GROUP, 0.0)
    assert who_calls() == ""
    # A test's own, a shared module's, and a handler's, which makes the stream first.
    assert asked == ["operate", *["log_ingest"] * 3]


@pytest.mark.promise("S1")
@pytest.mark.parametrize(
    ("function", "service", "operation", "parameters"),
    [
        ("alert", "sns", "Publish", {"TopicArn": "arn:aws:sns:eu-central-1:123456789012:x"}),
        ("log_ingest", "logs", "CreateLogStream", {"logGroupName": "/other/fleet"}),
        ("lake_ingest", "firehose", "PutRecordBatch", {"DeliveryStreamName": "other-lake"}),
        ("model_packager", "s3", "PutObject", {"Bucket": "gustbed-lake", "Key": "captures/x"}),
        ("model_packager", "kms", "Sign", {"KeyId": "33333333-3333-4333-8333-333333333333"}),
        ("job_creator", "s3", "GetObject", {"Bucket": "gustbed-artifacts", "Key": "models/x"}),
        ("job_creator", "iot", "CreateJob", {**JOB, "targets": ["arn:aws:iot:::thinggroup/x"]}),
        (
            "job_creator",
            "iot",
            "CreateJob",
            {**JOB, "presignedUrlConfig": {"roleArn": "arn:aws:iam::123456789012:role/admin"}},
        ),
    ],
)
def test_function_may_not_do_the_same_elsewhere(
    function: str, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    assert "does not allow" in denied(function, service, operation, parameters)[0]


def test_stack_is_rendered_as_cloudformation_does() -> None:
    assert environment("alert") == {
        "STACK": "gustbed",
        "TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:gustbed-alerts",
    }
    rule = rendered().properties("IngestRule")
    assert rule["RuleName"] == "gustbed_ingest"
    (document,) = role("alert")
    assert "${" not in str(document)
    policy = str(rendered().properties("DevicePolicy"))
    assert "client/${iot:Connection.Thing.ThingName}" in policy
