"""Policies of people and roles, by AWS' own tables: no more than a task needs, and no less.

cfn-lint brings the tables: which resources an action is about (service authorization reference),
and what CloudFormation needs to make, change and delete each type (resource provider schemas).
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import cfnlint  # type: ignore[import-untyped]
import pytest

from gustbed_cloud.bundle import FUNCTIONS
from gustbed_cloud.policies import MAX_CHARACTERS, TASKS, policy
from gustbed_cloud.settings import MAX_STACK
from gustbed_core.errors import GustbedError
from tests.support.aws_calls import listed
from tests.support.aws_rights import ACCOUNT, REGION, STACK, rendered
from tests.unit.cloud.test_template import as_list

DATA = Path(cfnlint.__file__).parent / "data"
EVERY_RESOURCE = {
    # Two fleets' names must not begin one another: a deployment looks at all stacks.
    ("deploy", "cloudformation:DescribeStacks"),
}
"""Rights to "*" of an action that could be had for one resource."""
NOT_USED: dict[str, tuple[str, ...]] = {
    "no customer's key encrypts these": (
        "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant", "kms:RevokeGrant",
        "logs:*KmsKey",
    ),
    "functions without a network, a file system, layers, versions or signed code": (
        "ec2:*", "elasticfilesystem:*", "s3files:*", "lambda:GetLayerVersion",
        "lambda:*FunctionConcurrency", "lambda:PutRuntimeManagementConfig", "lambda:Publish*",
        "lambda:PutFunctionRecursionConfig", "lambda:PutFunctionScalingConfig",
        "lambda:PassCapacityProvider", "lambda:AssociateRuntimeAlias",
        "lambda:*FunctionCodeSigningConfig",
    ),
    "plain buckets": (
        "s3tables:*", "s3:*Analytics*", "s3:*BucketCORS", "s3:*BucketCors", "s3:*Inventory*",
        "s3:*Metrics*", "s3:*Replication*", "s3:*Website", "s3:*Accelerate*", "s3:*Acl",
        "s3:*ObjectLock*", "s3:*Logging", "s3:*Ownership*", "s3:*IntelligentTiering*",
        "s3:*MetadataTable*", "s3:*BucketMetadata*", "s3:*Abac", "s3:DeleteObject",
        "s3:DeleteBucketEncryption", "s3:DeleteBucketLifecycle",
    ),
    "plain log groups": (
        "logs:*DataProtectionPolicy", "logs:CreateLogDelivery", "s3:REST.PUT.OBJECT",
        "logs:*ResourcePolicy", "logs:*IndexPolicy", "logs:DeleteRetentionPolicy",
        "logs:PutLogGroupDeletionProtection", "logs:PutBearerTokenAuthentication",
    ),
    "roles with policies of their own only": (
        "iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:*PermissionsBoundary",
    ),
    "the rest of what they can be": (
        "sns:PutDataProtectionPolicy", "iot:*DynamicThingGroup",
        "firehose:StopDeliveryStreamEncryption",
    ),
}  # fmt: skip
"""Of what CloudFormation may need of a type, what our stack never makes it do, and why."""


@cache
def reference() -> dict[str, Any]:
    """Actions by service, each with the kinds of resource that it is about."""
    return dict(json.loads((DATA / "AdditionalSpecs" / "Policies.json").read_text()))


def of_task(task: str, stack: str = STACK, region: str = REGION) -> dict[str, Any]:
    (found,) = (each for each in TASKS if each == task)
    return dict(json.loads(policy(found, stack, region=region, account=ACCOUNT)))


def roles() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, role in rendered().of_type("AWS::IAM::Role").items():
        for each in role["Policies"]:
            yield f"{name}{each['PolicyName'].capitalize()}", each["PolicyDocument"]


def granted(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for statement in document["Statement"]:
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                yield action, resource


@pytest.mark.promise("S1")
def test_every_action_and_its_resources_are_known_to_aws(tmp_path: Path) -> None:
    documents = [*roles(), *((task.capitalize(), of_task(task)) for task in TASKS)]
    assert len(documents) == len(FUNCTIONS) + 3 + len(TASKS)
    resources = {
        name: {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
        for name, document in documents
    }
    path = tmp_path / "policies.json"
    path.write_text(json.dumps({"Resources": resources}, indent=1))
    done = subprocess.run(
        [Path(sys.executable).parent / "cfn-lint", "--include-checks", "I3510", "--", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.promise("S1")
@pytest.mark.parametrize("task", TASKS)
def test_task_is_given_everything_only_where_aws_knows_no_single_thing(task: str) -> None:
    for action, resource in granted(of_task(task)):
        service, _, name = action.partition(":")
        assert not name.startswith("*")
        if resource == "*" and (task, action) not in EVERY_RESOURCE:
            known = reference()[service]["Actions"][name.lower()]
            assert not known.get("Resources"), action


@pytest.mark.parametrize("task", TASKS)
def test_policy_fits_into_a_managed_one_whatever_the_stack_is_called(task: str) -> None:
    document = of_task(task, "s" * MAX_STACK, "ap-southeast-1")
    assert len(json.dumps(document, separators=(",", ":"))) <= MAX_CHARACTERS


def needed_by_cloudformation() -> Iterator[tuple[str, str]]:
    schemas = DATA / "schemas"
    places = json.loads((schemas / "providers" / f"{REGION}.json").read_text())
    kinds = {each["Type"] for each in rendered().template["Resources"].values()}
    for kind in sorted(kinds):
        schema = json.loads((schemas / "resources" / f"{places[kind]}.json").read_text())
        for name, handler in schema["handlers"].items():
            for action in handler["permissions"] if name != "list" else ():
                yield kind, action


def test_whoever_deploys_may_do_what_cloudformation_does_in_their_name() -> None:
    allowed = {action for action, _ in granted(of_task("deploy"))}
    unused = {pattern for patterns in NOT_USED.values() for pattern in patterns}
    needed = set(needed_by_cloudformation())
    assert len(needed) > 200
    lacking = {
        (kind, action)
        for kind, action in needed
        if not any(fnmatchcase(action, pattern) for pattern in allowed | unused)
    }
    assert not lacking
    for pattern in unused:
        assert any(fnmatchcase(action, pattern) for _, action in needed), pattern


def test_roles_are_handed_to_the_stacks_own_services_only() -> None:
    passing = [s for s in of_task("deploy")["Statement"] if "iam:PassRole" in as_list(s["Action"])]
    (statement,) = passing
    trusted = {
        each["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]
        for each in rendered().of_type("AWS::IAM::Role").values()
    }
    assert set(statement["Condition"]["StringEquals"]["iam:PassedToService"]) == trusted
    assert statement["Resource"] == f"arn:aws:iam::{ACCOUNT}:role/{STACK}-*"


def test_no_policy_lets_one_stack_touch_anothers() -> None:
    """But things, certificates, jobs and keys, which are not named by stack."""
    shared = ("thing/*", "cert/*", "job/*", "key/*", "event-source-mapping:*")
    for task in TASKS:
        for action, resource in granted(of_task(task)):
            assert resource == "*" or STACK in resource or resource.endswith(shared), action


def test_policies_know_every_listed_call() -> None:
    """A call that is added needs somebody who may make it, or a function that does."""
    other = {
        "s3:ListObjectsV2": "s3:ListBucket",
        "s3:HeadBucket": "s3:ListBucket",
        "s3:ListObjectVersions": "s3:ListBucketVersions",
        "s3:DeleteObjects": "s3:DeleteObject",
        "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
        "lambda:Invoke": "lambda:InvokeFunction",
    }
    documents = [*(of_task(task) for task in TASKS), *(document for _, document in roles())]
    allowed = {action for document in documents for action, _ in granted(document)}
    lacking = {
        call
        for call in listed() - {"sts:GetCallerIdentity"}  # Which AWS denies nobody.
        if not any(fnmatchcase(other.get(call, call), pattern) for pattern in allowed)
    }
    assert not lacking


@pytest.mark.parametrize("account", ["", "12345", "gustbed", "1234567890123"])
def test_account_that_is_none_is_refused(account: str) -> None:
    with pytest.raises(GustbedError, match="12 digits"):
        policy("enrol", STACK, region=REGION, account=account)


def test_partition_and_stack_are_the_askers() -> None:
    text = policy("enrol", "farm-2", region="cn-north-1", account=ACCOUNT, partition="aws-cn")
    assert "arn:aws-cn:lambda:cn-north-1:123456789012:function:farm-2-model-packager" in text
    assert "rule/farm_2_*" in policy("deploy", "farm-2", region=REGION, account=ACCOUNT)
