"""Every AWS call that the cloud side makes, checked against AWS' own service models.

The calls are found in the sources, and must be those that are listed: a new one is a decision, for
whoever operates the fleet must allow it. Their values are checked where tests make them
(``tests/support/aws_contract.py``).
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore import xform_name

from tests.support.aws_calls import CALLS, NEVER_MADE, listed
from tests.unit.cloud.functions import CLOUD
from tests.unit.cloud.test_template import _Loader, as_list

ACTION = {"s3:ListObjectsV2": "s3:ListBucket"}
"""Where the action that allows an operation has another name."""
QUEUE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
"""What AWS Lambda itself does in a function's name, to read its queue."""
DEAD_LETTERS = {"sqs:SendMessage"}
GRANTED_BESIDES: dict[str, set[str]] = {
    # KMS: to publish to a topic that is encrypted with a key of ours.
    "alert": QUEUE
    | {"logs:CreateLogStream", "logs:PutLogEvents", "kms:Decrypt", "kms:GenerateDataKey"},
    "lake_ingest": QUEUE,
    "log_ingest": QUEUE,
    # PassRole: CreateJob names a role.
    "model_packager": DEAD_LETTERS | {"logs:CreateLogStream", "logs:PutLogEvents"},
    "job_creator": DEAD_LETTERS | {"logs:CreateLogStream", "logs:PutLogEvents", "iam:PassRole"},
}
"""By function, what its role grants beyond the calls in its source."""

Call = tuple[str, tuple[str, ...]]
"""A client's method, and the parameters that it is given by name."""
SESSION = botocore.session.get_session()
MODELS: dict[str, Any] = {name: SESSION.get_service_model(name) for name in CALLS}


def sources() -> Iterator[Path]:
    """The package and its functions; the emulator stands in for AWS, and calls nobody."""
    yield from sorted(set(CLOUD.rglob("*.py")) - set((CLOUD / "emulator").rglob("*.py")))


def named(call: ast.Call) -> tuple[str, ...]:
    return tuple(sorted(keyword.arg for keyword in call.keywords if keyword.arg))


def calls_in(path: Path) -> Iterator[Call]:
    """What looks like a call of a client: a method of any service, and pages of one."""
    methods = {xform_name(op) for model in MODELS.values() for op in model.operation_names}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr in methods and not node.args:
            yield node.func.attr, named(node)
        elif node.func.attr == "get_paginator":
            (name,) = node.args
            assert isinstance(name, ast.Constant)
            yield str(name.value), ()


def operations_of(method: str) -> dict[str, Any]:
    """Listed operations that a method may stand for, by ``service:Operation``."""
    return {
        f"{service}:{operation}": MODELS[service].operation_model(operation)
        for service, listed in CALLS.items()
        for operation in listed
        if xform_name(operation) == method
    }


FOUND = sorted(
    {(call, path.name) for path in sources() for call in calls_in(path)},
    key=str,
)


@pytest.mark.promise("P1")
def test_every_call_is_listed_and_every_listed_one_is_made() -> None:
    made = {method for (method, _), _ in FOUND}
    listed = {xform_name(op) for operations in CALLS.values() for op in operations}
    assert made == listed


def test_call_that_no_test_makes_is_a_listed_one_with_a_reason() -> None:
    assert set(NEVER_MADE) <= listed()
    assert all(NEVER_MADE.values())


@pytest.mark.promise("P1")
def test_every_service_that_is_asked_is_listed() -> None:
    asked = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                first = node.args[0] if node.args else None
                if node.func.attr == "client" and isinstance(first, ast.Constant):
                    asked.add(first.value)
    # Presence checks name theirs in a table.
    assert asked | {"events", "firehose", "sns", "sqs"} == set(CALLS)


@pytest.mark.promise("P1")
@pytest.mark.parametrize("service", sorted(CALLS))
def test_every_listed_operation_is_one_of_the_service(service: str) -> None:
    assert CALLS[service] <= set(MODELS[service].operation_names)


@pytest.mark.promise("P1")
@pytest.mark.parametrize(("call", "file"), FOUND, ids=lambda value: str(value)[:60])
def test_parameters_are_those_that_the_service_takes(call: Call, file: str) -> None:
    method, parameters = call
    candidates = operations_of(method)
    assert candidates, file
    assert any(
        set(parameters) <= set(model.input_shape.members if model.input_shape else ())
        for model in candidates.values()
    ), (file, candidates, parameters)


@pytest.mark.promise("P1")
@pytest.mark.parametrize("function", sorted(GRANTED_BESIDES))
def test_function_is_granted_what_it_calls_and_nothing_else(function: str) -> None:
    template = yaml.load((CLOUD / "stack.yaml").read_text(), Loader=_Loader)  # noqa: S506
    logical = "".join(word.capitalize() for word in function.split("_"))
    role = template["Resources"][f"{logical}Role"]["Properties"]
    granted = {
        action
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in as_list(statement["Action"])
    }
    handler = CLOUD / "functions" / function / "handler.py"
    text = handler.read_text(encoding="utf-8")
    shared = (
        *(CLOUD / "functions" / f"{name}.py" for name in ("cloudwatch", "membership")),
        CLOUD / "approval_store.py",
    )
    made: dict[str, set[str]] = defaultdict(set)
    for path in (handler, *(each for each in shared if each.stem in text)):
        for method, _ in calls_in(path):
            made[method] |= {ACTION.get(each, each) for each in operations_of(method)}
    assert made
    called = {action for actions in made.values() for action in actions}
    assert granted == called | GRANTED_BESIDES[function]


def test_every_function_is_looked_at() -> None:
    assert set(GRANTED_BESIDES) == {
        path.parent.name for path in (CLOUD / "functions").glob("*/handler.py")
    }


def test_page_on_aws_lists_every_service_that_is_asked_or_deployed() -> None:
    template = yaml.load((CLOUD / "stack.yaml").read_text(), Loader=_Loader)  # noqa: S506
    deployed = {r["Type"].split("::")[1].lower() for r in template["Resources"].values()}
    names = {"kinesisfirehose": "firehose"}
    page = (CLOUD.parents[2] / "docs" / "aws.md").read_text(encoding="utf-8")
    rights = page.partition("## Rights")[2].partition("\n## ")[0].lower()
    listed = set(re.findall(r"[a-z0-9]+", rights))
    assert {names.get(each, each) for each in deployed} | set(CALLS) <= listed
