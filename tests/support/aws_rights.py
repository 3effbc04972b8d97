"""What the stack's roles allow: ``stack.yaml`` with names filled in, and AWS' rules for policies.

Policies are evaluated by MiniStack's engine, which the emulator enforces them with, too.
"""

import functools
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
STACK_FILE = ROOT / "services" / "cloud" / "gustbed_cloud" / "stack.yaml"
ACCOUNT, REGION, STACK = "123456789012", "eu-central-1", "gustbed"
KEYS = {
    "SigningKey": "11111111-1111-4111-8111-111111111111",
    "AlertTopicKey": "22222222-2222-4222-8222-222222222222",
}
"""Ids of keys are AWS' to choose."""
_NAMES = {
    "AWS::IoT::ThingType": "ThingTypeName",
    "AWS::IoT::ThingGroup": "ThingGroupName",
    "AWS::IoT::Policy": "PolicyName",
    "AWS::IoT::TopicRule": "RuleName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Logs::LogStream": "LogStreamName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
    "AWS::KMS::Alias": "AliasName",
    "AWS::Events::Rule": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SNS::Topic": "TopicName",
}
"""By type, the property that is the resource's name."""
_ARNS = {
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
    "AWS::SNS::Topic": "sns:{region}:{account}:{name}",
    "AWS::KMS::Key": "kms:{region}:{account}:key/{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
    "AWS::Lambda::Function": "lambda:{region}:{account}:function:{name}",
    "AWS::S3::Bucket": "s3:::{name}",
    "AWS::KinesisFirehose::DeliveryStream": "firehose:{region}:{account}:deliverystream/{name}",
    "AWS::Events::Rule": "events:{region}:{account}:rule/{name}",
    "AWS::IoT::TopicRule": "iot:{region}:{account}:rule/{name}",
}


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as the long ones."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        argument: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        argument = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        argument = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": argument}


_Loader.add_multi_constructor("!", _function)


class Rendered:
    """The template as CloudFormation makes it for one stack.

    ``long``: with the longest names that AWS gives to what the template does not name.
    """

    def __init__(self, stack: str = STACK, region: str = REGION, **parameters: str) -> None:
        text = STACK_FILE.read_text(encoding="utf-8")
        self.template: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
        declared = self.template["Parameters"].items()
        self._values = {
            **{name: str(each.get("Default", f"<{name}>")) for name, each in declared},
            **parameters,
            "AWS::StackName": stack,
            "AWS::Partition": "aws",
            "AWS::Region": region,
            "AWS::AccountId": ACCOUNT,
            "AWS::URLSuffix": "amazonaws.com",
        }
        self._place = {"region": region, "account": ACCOUNT}

    def properties(self, name: str) -> dict[str, Any]:
        """A resource's properties, resolved."""
        return dict(self.resolve(self.template["Resources"][name].get("Properties", {})))

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Resolved properties of every resource of a type, by logical name."""
        found = self.template["Resources"].items()
        return {name: self.properties(name) for name, each in found if each["Type"] == kind}

    def name(self, logical: str) -> str:
        """A resource's physical name."""
        resource = self.template["Resources"][logical]
        if resource["Type"] == "AWS::KMS::Key":
            return KEYS[logical]
        given = resource["Properties"].get(_NAMES.get(resource["Type"], ""))
        # What AWS names, it names by stack and logical name.
        stack = self._values["AWS::StackName"]
        return str(self.resolve(given)) if given else f"{stack}-{logical}-0123456789AB"

    def arn(self, logical: str) -> str:
        """A resource's ARN."""
        kind = self.template["Resources"][logical]["Type"]
        return f"arn:aws:{_ARNS[kind].format(name=self.name(logical), **self._place)}"

    def resolve(self, value: Any) -> Any:
        """Evaluate intrinsic functions."""
        if isinstance(value, list):
            return [self.resolve(each) for each in value if each != {"Ref": "AWS::NoValue"}]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._function(name, argument)
        resolved = {key: self.resolve(each) for key, each in value.items()}
        return {key: each for key, each in resolved.items() if each is not None}

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self._ref(argument)
            case "Fn::GetAtt":
                logical, _, attribute = argument.partition(".")
                return self.arn(logical) if attribute == "Arn" else self.name(logical)
            case "Fn::Sub":
                text, own = argument if isinstance(argument, list) else (argument, {})
                return self._sub(text, {key: self.resolve(each) for key, each in own.items()})
            case "Fn::If":
                condition, yes, no = argument
                return self.resolve(yes if self._holds(condition) else no)
            case "Fn::Select":
                place, values = argument
                return self.resolve(values)[int(place)]
            case "Fn::Split":
                separator, text = argument
                return self.resolve(text).split(separator)
            case "Fn::Join":
                separator, values = argument
                return separator.join(self.resolve(values))
        raise AssertionError(f"{name} is not understood here")

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return None
        if name in self._values:
            return self._values[name]
        kind = self.template["Resources"][name]["Type"]
        if kind == "AWS::SQS::Queue":
            region, account = self._place["region"], self._place["account"]
            return f"https://sqs.{region}.amazonaws.com/{account}/{self.name(name)}"
        return self.arn(name) if kind == "AWS::SNS::Topic" else self.name(name)

    def _sub(self, text: str, own: dict[str, str]) -> str:
        def put(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in own:
                return own[name]
            whole = {"Fn::GetAtt": name} if "." in name else {"Ref": name}
            return str(self.resolve(whole))

        return re.sub(r"\$\{([^}]+)\}", put, text)

    def _holds(self, condition: str) -> bool:
        # Every condition of ours is that a parameter is not empty.
        ((equals,),) = (each["Fn::Not"] for each in [self.template["Conditions"][condition]])
        value, nothing = equals["Fn::Equals"]
        return bool(self.resolve(value) != nothing)


@functools.cache
def rendered() -> Rendered:
    """The stack ``gustbed``."""
    return Rendered()


def logical(function: str) -> str:
    """``log_ingest`` as the template spells it."""
    return "".join(word.capitalize() for word in function.split("_"))


def environment(function: str) -> dict[str, str]:
    """What a function of the stack ``gustbed`` finds in its environment."""
    properties = rendered().properties(f"{logical(function)}Function")
    return dict(properties["Environment"]["Variables"])


@functools.cache
def role(function: str) -> tuple[dict[str, Any], ...]:
    """The policies of a function's role."""
    policies = rendered().properties(f"{logical(function)}Role")["Policies"]
    return tuple(policy["PolicyDocument"] for policy in policies)


@functools.cache
def engine() -> Any:
    """MiniStack's evaluation of policies; the module needs nothing else of it."""
    (packages,) = (ROOT / ".venv-emulator" / "lib").glob("python3*/site-packages")
    sys.path.append(str(packages))
    try:
        return importlib.import_module("ministack.core.iam_evaluator")
    finally:
        sys.path.remove(str(packages))


def allows(
    policies: tuple[dict[str, Any], ...], action: str, resource: str, context: dict[str, str]
) -> bool:
    """Whether policies let somebody do something."""
    iam = engine()
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/role/session"
    asked = iam.EvalContext(arn, "AssumedRole", ACCOUNT, action, resource, REGION)
    asked.service_context = {key.lower(): value for key, value in context.items()}
    parsed = [iam.parse_policy_document(policy) for policy in policies]
    return bool(iam.evaluate(asked, parsed).decision == "Allow")


def denied(function: str, service: str, operation: str, parameters: dict[str, Any]) -> list[str]:
    """What a function's role does not allow of a call."""
    return [
        f"its role does not allow {action} on {resource}"
        for action, resource, context in needed(service, operation, parameters)
        if not allows(role(function), action, resource, context)
    ]


Right = tuple[str, str, dict[str, str]]
"""An action, a resource and the request's condition keys."""


def needed(service: str, operation: str, parameters: dict[str, Any]) -> Iterator[Right]:
    """Rights that a call of a function needs, by AWS' service authorization reference."""
    action = {"ListObjectsV2": "ListBucket", "GetObject": "GetObject"}.get(operation, operation)
    for resource in _resources(service, operation, parameters):
        yield f"{service}:{action}", resource, {}
    if operation == "CreateJob":
        passed = {"iam:PassedToService": "iot.amazonaws.com"}
        yield "iam:PassRole", parameters["presignedUrlConfig"]["roleArn"], passed
    if (service, operation) == ("sns", "Publish"):
        for use in ("kms:Decrypt", "kms:GenerateDataKey"):
            yield use, rendered().arn("AlertTopicKey"), {}


def _resources(service: str, operation: str, given: dict[str, Any]) -> list[str]:
    place = f"arn:aws:{service}:{REGION}:{ACCOUNT}"
    match service, operation:
        case "logs", "CreateLogStream":
            return [f"{place}:log-group:{given['logGroupName']}"]
        case "logs", "PutLogEvents":
            stream = f"log-stream:{given['logStreamName']}"
            return [f"{place}:log-group:{given['logGroupName']}:{stream}"]
        case "iot", "DescribeThing":
            return [f"{place}:thing/{given['thingName']}"]
        case "iot", "CreateJob":
            return [f"{place}:job/{given['jobId']}", *given["targets"]]
        case "sns", "Publish":
            return [given["TopicArn"]]
        case "firehose", "PutRecordBatch":
            return [f"{place}:deliverystream/{given['DeliveryStreamName']}"]
        case "s3", "GetObject" | "PutObject":
            return [f"arn:aws:s3:::{given['Bucket']}/{given['Key']}"]
        case "s3", "ListObjectsV2":
            return [f"arn:aws:s3:::{given['Bucket']}"]
        case "kms", "Sign":
            return [f"{place}:key/{given['KeyId']}"]
        case "sagemaker", "DescribeModelPackage":
            return [given["ModelPackageName"]]
    raise AssertionError(f"{service}:{operation}: say here which resources it is about")
