"""Are the stack's resources really there? CloudFormation remembers; an emulator may forget."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from gustbed_cloud.aws import Session, error_code, readable_errors

_GONE = ("NotFound", "NoSuch", "NonExistent", "404", "DoesNotExist")
Check = Callable[[Any, str], object]


def _log_group(logs: Any, name: str) -> object:
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return any(group["logGroupName"] == name for group in groups)


CHECKS: dict[str, tuple[str, Check]] = {
    "AWS::IoT::Policy": ("iot", lambda iot, name: iot.get_policy(policyName=name)),
    "AWS::IoT::TopicRule": ("iot", lambda iot, name: iot.get_topic_rule(ruleName=name)),
    "AWS::SQS::Queue": ("sqs", lambda sqs, url: sqs.get_queue_attributes(QueueUrl=url)),
    "AWS::SNS::Topic": ("sns", lambda sns, arn: sns.get_topic_attributes(TopicArn=arn)),
    "AWS::Lambda::Function": (
        "lambda",
        lambda functions, name: functions.get_function_configuration(FunctionName=name),
    ),
    "AWS::Lambda::EventSourceMapping": (
        "lambda",
        lambda functions, uuid: functions.get_event_source_mapping(UUID=uuid),
    ),
    "AWS::Logs::LogGroup": ("logs", _log_group),
    "AWS::S3::Bucket": ("s3", lambda s3, name: s3.head_bucket(Bucket=name)),
    "AWS::KinesisFirehose::DeliveryStream": (
        "firehose",
        lambda firehose, name: firehose.describe_delivery_stream(DeliveryStreamName=name),
    ),
    "AWS::KMS::Key": ("kms", lambda kms, key: kms.describe_key(KeyId=key)),
    "AWS::Events::Rule": ("events", lambda events, name: events.describe_rule(Name=name)),
}
"""By resource type: the service to ask, and a question whose answer is an error or falsy."""


@readable_errors()
def missing_resource(session: Session, stack: str) -> str | None:
    """Return the logical name of a resource that is gone, or None."""
    cloudformation = session.client("cloudformation")
    clients: dict[str, Any] = {}
    for resource in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]:
        if resource["ResourceType"] not in CHECKS:
            continue
        service, check = CHECKS[resource["ResourceType"]]
        if service not in clients:
            clients[service] = session.client(service)
        if not _there(check, clients[service], resource["PhysicalResourceId"]):
            return str(resource["LogicalResourceId"])
    return None


def _there(check: Check, service: Any, name: str) -> bool:
    try:
        return bool(check(service, name))
    except ClientError as error:
        if any(word in error_code(error) for word in _GONE):
            return False
        raise
