"""A rule that calls a function for every message: in turns, and only if the function allows it."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import boto3
import psutil
import pytest

from tests.support.cloud import LocalCloud, local_cloud
from tests.support.ports import wait_until

MESSAGES = 40
AT_ONCE = 2
SLOW = """
import pathlib, time

def handle(event, _context):
    time.sleep(0.2)
    pathlib.Path({folder!r}, str(event["n"])).touch()
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUSTBED_EMULATOR_FUNCTIONS", str(AT_ONCE))
        with local_cloud(tmp_path_factory.mktemp("cloud"), deploy=False) as running:
            yield running


def make_function(name: str, source: str) -> str:
    """A function of one file; its ARN."""
    role = boto3.client("iam").create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument="{}")
    code = io.BytesIO()
    with ZipFile(code, "w") as archive:
        archive.writestr("handler.py", source)
    made = boto3.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="handler.handle",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": code.getvalue()},
        Timeout=30,
    )
    return str(made["FunctionArn"])


def make_rule(name: str, topic: str, function: str) -> None:
    """A rule of the simplest kind, its topic in double quotes."""
    boto3.client("iot").create_topic_rule(
        ruleName=name,
        topicRulePayload={
            "sql": f'SELECT * FROM "{topic}"',  # noqa: S608 - rules are no database
            "actions": [{"lambda": {"functionArn": function}}],
        },
    )


def allow(function: str, rule: str) -> None:
    boto3.client("lambda").add_permission(
        FunctionName=function,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="iot.amazonaws.com",
        SourceArn=f"arn:aws:iot:eu-central-1:000000000000:rule/{rule}",
    )


def workers(cloud: LocalCloud) -> int:
    """Processes that the emulator runs functions in."""
    assert cloud.emulator is not None
    return len(psutil.Process(cloud.emulator.pid).children(recursive=True))


def publisher(cloud: LocalCloud) -> Any:
    return boto3.client("iot-data", endpoint_url=cloud.url)


def test_a_flood_of_messages_leaves_the_api_and_the_machine_alone(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    function = make_function("slow", SLOW.format(folder=str(tmp_path)))
    make_rule("flood", "flood/+", function)
    allow(function, "flood")
    data = publisher(cloud)
    most = 0
    for number in range(MESSAGES):
        data.publish(topic="flood/a", qos=1, payload=json.dumps({"n": number}))
        most = max(most, workers(cloud))

    def all_called() -> bool:
        nonlocal most
        most = max(most, workers(cloud))
        return len(list(tmp_path.iterdir())) == MESSAGES

    wait_until(all_called, "every message got its call", 60)
    # A worker may be a process and a helper of it.
    assert most <= 2 * AT_ONCE, f"{most} processes for {MESSAGES} messages"
    boto3.client("iot").list_things()


def test_a_function_that_allows_no_rule_is_called_by_none(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    function = make_function("closed", SLOW.format(folder=str(tmp_path)))
    make_rule("uninvited", "closed/+", function)
    data = publisher(cloud)
    data.publish(topic="closed/a", qos=1, payload=json.dumps({"n": 1}))
    wait_until(lambda: "add-permission" in cloud.log("emulator"), "the emulator says why")
    assert not list(tmp_path.iterdir())
    allow(function, "uninvited")
    data.publish(topic="closed/a", qos=1, payload=json.dumps({"n": 2}))
    wait_until(lambda: list(tmp_path.iterdir()), "it is called once it allows it")
    assert [path.name for path in tmp_path.iterdir()] == ["2"]


def test_what_the_emulator_does_not_evaluate_is_refused_by_name(cloud: LocalCloud) -> None:
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="g")
    with pytest.raises(logs.exceptions.MalformedQueryException, match="'stats' is not evaluated"):
        logs.start_query(logGroupName="g", startTime=0, endTime=1, queryString="stats count(*)")
    with pytest.raises(logs.exceptions.InvalidParameterException, match="only terms"):
        logs.filter_log_events(logGroupName="g", filterPattern='{ $.turbine = "wt01" }')
    logs.filter_log_events(logGroupName="g", filterPattern="wt01")
