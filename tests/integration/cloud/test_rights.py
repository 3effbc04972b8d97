"""Each task done with its policy's rights and no others, and what a deployment says beforehand."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from gustbed_cloud import operations
from gustbed_cloud.aws import open_session
from gustbed_cloud.changes import preview
from gustbed_cloud.configured import configured_plan
from gustbed_cloud.policies import Task, policy
from tests.integration.cloud.rollouts import register
from tests.support.aws_rights import rendered
from tests.support.cloud import STACK, LocalCloud, ask_to_enrol, local_cloud
from tests.support.ports import wait_until

REGION = "eu-central-1"
EMULATOR_SEES_NO_RESOURCE = ["iot:AttachPolicy", "iot:DetachPolicy"]
"""It asks for a right to "*" where AWS asks for one to the certificate."""
TRUST = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A cloud without a stack. Later tests of this module need what earlier ones have done."""
    with local_cloud(tmp_path_factory.mktemp("cloud"), deploy=False) as running:
        yield running


def session_of(*tasks: Task) -> dict[str, str]:
    """Credentials of a role that has the policies of tasks, as variables."""
    iam, sts = boto3.client("iam"), boto3.client("sts")
    account = sts.get_caller_identity()["Account"]
    name = f"{'-'.join(tasks)}-{uuid.uuid4().hex[:8]}"
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    blind = {"Effect": "Allow", "Action": EMULATOR_SEES_NO_RESOURCE, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [blind]})
    iam.put_role_policy(RoleName=name, PolicyName="emulator", PolicyDocument=document)
    for task in tasks:
        document = policy(task, STACK, region=REGION, account=account)
        iam.put_role_policy(RoleName=name, PolicyName=task, PolicyDocument=document)
    found = sts.assume_role(RoleArn=made, RoleSessionName="test")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
        "AWS_SESSION_TOKEN": found["SessionToken"],
    }


def adopt(credentials: dict[str, str], patch: pytest.MonkeyPatch) -> None:
    for name, value in credentials.items():
        patch.setenv(name, value)


def test_look_at_a_stack_that_is_not_there_names_all_and_leaves_nothing(
    empty: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = session_of("deploy")
    before = boto3.client("cloudformation")
    adopt(credentials, monkeypatch)
    session = open_session()
    changes = preview(session, configured_plan(session))
    template = rendered().template["Resources"]
    named = {name for name, each in template.items() if "Condition" not in each}
    # The emulator names those too whose condition does not hold.
    assert {each.resource for each in changes} >= named
    assert {each.effect for each in changes} == {"add"}
    wait_until(lambda: not live(before), "nothing is left of the look")


def live(cloudformation: object) -> list[str]:
    stacks = cloudformation.list_stacks()["StackSummaries"]  # type: ignore[attr-defined]
    return [each["StackName"] for each in stacks if each["StackStatus"] != "DELETE_COMPLETE"]


def test_look_that_was_not_taken_back_does_not_keep_a_stack_from_being_made(
    empty: LocalCloud,
) -> None:
    boto3.client("cloudformation").create_change_set(
        StackName=STACK,
        ChangeSetName="left",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}),
    )
    done = empty.run("deploy", **session_of("deploy"))
    assert done.returncode == 0, done.stderr
    assert "deleting what was only reviewed" in done.stdout


def test_look_at_a_change_names_it_and_what_would_be_lost(
    empty: LocalCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    session = open_session()
    assert preview(session, configured_plan(session)) == []
    monkeypatch.setenv("GUSTBED_STACK_PARAMETERS", "LogRetentionDays=60")
    real = [each for each in preview(session, configured_plan(session)) if not each.only_tags]
    groups = set(rendered().of_type("AWS::Logs::LogGroup"))
    assert {each.resource for each in real if "RetentionInDays" in each.parts} == groups
    text = configured_plan(session).template
    changed = text.replace("/${AWS::StackName}/fleet", "/${AWS::StackName}/farm")
    (tmp_path / "stack.yaml").write_text(changed)
    own = Path(operations.__file__).parent
    (tmp_path / "functions").symlink_to(own / "functions")
    monkeypatch.setenv("GUSTBED_CLOUD_DIR", str(tmp_path))
    lost = {each.resource: each.loses for each in preview(session, configured_plan(session))}
    assert lost["FleetLogGroup"] == "logs"
    assert boto3.client("cloudformation").list_change_sets(StackName=STACK)["Summaries"] == []


def test_whoever_enrols_needs_no_other_rights(empty: LocalCloud) -> None:
    credentials = session_of("enrol")
    ask_to_enrol(empty, "gustbed-site-1")
    # Where no host is set, as at AWS.
    done = empty.run("enrol", "gustbed-site-1", GUSTBED_IOT_HOST="", **credentials)
    assert done.returncode == 0, done.stderr
    for options in (["--role", "device"], ["--role", "edge", "--replace-key"]):
        ask_to_enrol(empty, "pump-7")
        done = empty.run("enrol", "pump-7", *options, **credentials)
        assert done.returncode == 0, done.stderr
    done = empty.run("retire", "pump-7", **credentials)
    assert done.returncode == 0, done.stderr
    refused = empty.run("destroy", "--yes", **credentials)
    assert (refused.returncode, "AccessDenied" in refused.stderr) == (1, True)


def test_whoever_operates_needs_no_other_rights(
    empty: LocalCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    adopt(session_of("operate"), monkeypatch)
    client = empty.connect()
    register(client, tmp_path, "1.0.0")
    operations.approve_model(client, "tiny", "1.0.0")
    wait_until(lambda: operations.list_jobs(client), "its rollout runs")
    assert operations.list_models(client)[0].version == "1.0.0"
    assert operations.read_log(client, "logs") == []
    assert operations.read_events(client) == []
    operations.fetch_captures(client, tmp_path / "captures")


def test_whoever_destroys_needs_no_other_rights(empty: LocalCloud) -> None:
    refused = empty.run("destroy", "--yes", **session_of("operate", "enrol"))
    assert refused.returncode == 1
    done = empty.run("destroy", "--yes", **session_of("deploy", "destroy"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"gustbed-cloud: stack {STACK}: gone, nothing left"


def test_command_shows_what_it_would_deploy_and_prints_no_key(empty: LocalCloud) -> None:
    home = {"TARGET": "aws", "RUNTIME": "process", "GUSTBED_HOME": str(empty.folder / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "gustbed_cli", "cloud", "diff"],
        env={**os.environ, **empty.environment, **home},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "LakeBucket" in done.stdout
    for secret in (empty.secret, empty.access_key):
        assert secret not in done.stdout + done.stderr
