"""AWS' limits, with the longest names that settings allow; docs/aws.md has their pages."""

import json
import re
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import pytest

from gustbed_cloud.bundle import FUNCTIONS, bundle
from gustbed_cloud.deploy import MAX_PARAMETER_BYTES, MAX_TEMPLATE_BYTES, make_plan
from gustbed_cloud.registration import _refuse_name
from gustbed_cloud.settings import MAX_STACK, CloudSettings
from gustbed_core import jobs, topics
from gustbed_core.approvals import ApprovalRecord, approval_key
from gustbed_core.errors import GustbedError
from gustbed_core.jobs import JobDocument, Release, Signature, welcome_prefix
from gustbed_core.registrations import GateResult, registration_key
from gustbed_core.settings import MAX_SITE, SiteSettings, load, turbine_id
from gustbed_edge.capture.writer import MAX_CAPTURE_BYTES
from gustbed_edge.cloud.aws.connection import KEEP_ALIVE_SECONDS
from gustbed_edge.cloud.device_shadows import MAX_REPORTED_BYTES
from gustbed_edge.outbox.recorder import MAX_FRAGMENT_BYTES
from gustbed_edge.outbox.sender import MESSAGE_BYTES
from tests.support.aws_contract import problems
from tests.support.aws_rights import Rendered
from tests.unit.cloud.functions import CLOUD, queued
from tests.unit.cloud.functions import load as function
from tests.unit.cloud.test_alert import batch

KIB = 1024
STACK, SITE = "s" * MAX_STACK, "s" * MAX_SITE
THING, TURBINE = f"gustbed-{SITE}", turbine_id(9_999)
MODEL, VERSION = "m" * 63, "999999999.999999999.999999999"
REGIONS = ("eu-central-1", "ap-southeast-1", "us-isof-south-1")
NAMES = {
    "AWS::CloudWatch::Alarm": 255,
    "AWS::CloudWatch::Dashboard": 255,
    "AWS::Events::Rule": 64,
    "AWS::IAM::Role": 64,
    "AWS::IoT::Policy": 128,
    "AWS::IoT::ThingGroup": 128,
    "AWS::IoT::ThingType": 128,
    "AWS::IoT::TopicRule": 128,
    "AWS::KMS::Alias": 256,
    "AWS::KinesisFirehose::DeliveryStream": 64,
    "AWS::Lambda::Function": 64,
    "AWS::Logs::LogGroup": 512,
    "AWS::S3::Bucket": 63,
    "AWS::SNS::Topic": 256,
    "AWS::SQS::Queue": 80,
}
"""Characters of a name, by type."""


@pytest.fixture(params=REGIONS)
def longest(request: pytest.FixtureRequest) -> Rendered:
    """The stack of the longest name, in regions of longer and longer names."""
    return Rendered(STACK, request.param)


def test_longest_stack_names_nothing_too_long(longest: Rendered) -> None:
    CloudSettings(stack=STACK)
    for name, resource in longest.template["Resources"].items():
        most = NAMES.get(resource["Type"])
        # CloudFormation itself shortens what it names.
        if most and resource["Type"] != "AWS::IAM::Role":
            assert len(longest.name(name)) <= most, name
    bucket = longest.name("ArtifactBucket")
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket)


def test_functions_environments_and_archives_fit(longest: Rendered) -> None:
    for function_ in longest.of_type("AWS::Lambda::Function").values():
        variables = function_["Environment"]["Variables"]
        assert len(json.dumps(variables).encode()) <= 4 * KIB
    for name in FUNCTIONS:
        assert len(bundle(name, CLOUD).data) <= 50 * KIB * KIB


def test_device_policies_fit(longest: Rendered) -> None:
    for policy in longest.of_type("AWS::IoT::Policy").values():
        assert len(json.dumps(policy["PolicyDocument"], separators=(",", ":"))) <= 2048


@pytest.mark.parametrize("name", ["a-", f"{'a' * (MAX_STACK + 1)}", "-a"])
def test_stack_name_that_aws_cannot_take_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUSTBED_STACK", name)
    with pytest.raises(GustbedError, match="GUSTBED_STACK"):
        load(CloudSettings)


def test_site_is_as_long_as_a_certificate_can_name_its_edge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert len(SiteSettings(site=SITE).thing) == 64  # ub-common-name of X.509
    monkeypatch.setenv("GUSTBED_SITE", f"{SITE}s")
    with pytest.raises(GustbedError, match=r"GUSTBED_SITE.*56 characters"):
        load(SiteSettings)


def test_topics_of_the_longest_names_are_short_and_flat_enough() -> None:
    job = "j" * 64
    jobs_topic, shadow = f"$aws/things/{THING}/jobs", f"$aws/things/{THING}/shadow/name/{TURBINE}"
    used = [
        *(topics.uplink(THING, kind) for kind in topics.UPLINK_KINDS),
        f"{jobs_topic}/{job}/update/accepted",
        f"{jobs_topic}/notify-next",
        f"{shadow}/update/rejected",
    ]
    for topic in used:
        assert len(topic.encode()) <= 256
        # The three reserved levels after "$aws" do not count; with them it is enough, too.
        assert topic.count("/") <= 7
    assert len(THING) <= 128
    assert len(TURBINE) <= 64


def test_messages_and_shadows_fit() -> None:
    envelope = len(json.dumps({"thing": THING, "site": SITE, "verdicts": [], "schema": 99}))
    routed = len(json.dumps(["mqtt_client", "mqtt_thing", "mqtt_kind", "mqtt_received"])) + 3 * 128
    assert max(MAX_FRAGMENT_BYTES, MAX_CAPTURE_BYTES) <= MESSAGE_BYTES
    assert MESSAGE_BYTES + envelope <= 128 * KIB
    assert MESSAGE_BYTES + envelope + routed <= 256 * KIB  # a message of SQS
    assert 2 * MAX_REPORTED_BYTES <= 8 * KIB  # reported and desired
    assert 30 <= KEEP_ALIVE_SECONDS <= 1200


def release() -> Release:
    target = f"{jobs.THING_TARGET}{THING}"
    digest, late = "f" * 64, 99_999_999_999
    return Release(MODEL, VERSION, 10**8, digest, True, "shadow", late, late, late, target)


def test_jobs_of_the_longest_names_fit() -> None:
    creator = function("job_creator")
    approval = ApprovalRecord(
        MODEL, VERSION, 999_999, "approved", "operator", "", 0.0, "", GateResult(passed=True)
    )
    rendered = Rendered(STACK, "us-isof-south-1")
    key = jobs.release_key(MODEL, VERSION)
    url = jobs.presigned_placeholder(rendered.name("ArtifactBucket"), key, "us-isof-south-1", "x.y")
    signature = Signature("s" * 200, "k" * 64)
    document = JobDocument(release(), url, signature, approval.rollout)
    text = json.dumps(asdict(document))
    assert len(text.encode()) <= 32 * KIB == creator.MAX_DOCUMENT_BYTES
    group = rendered.name("ThingGroup")
    assert len(f"{welcome_prefix(group)}{'f' * 16}") <= 64
    function_ = rendered.properties("JobCreatorFunction")
    settings = creator.job_settings(
        replace(release(), target=group), function_["Environment"]["Variables"]
    )
    request = {"jobId": approval.rollout, "document": text, **settings}
    assert problems("iot", "CreateJob", request) == []
    keys = [key, approval_key(approval), registration_key(MODEL, VERSION), jobs.job_key(document)]
    assert all(len(each.encode()) <= 1024 for each in keys)


@pytest.mark.parametrize(
    ("prefix", "name"), [("gustbed-", "m" * 56), (f"{STACK}-", "m" * 39), ("gustbed-", "wind-")]
)
def test_model_that_the_registry_cannot_group_is_refused_before_it_is_uploaded(
    prefix: str, name: str
) -> None:
    group = {"ModelPackageGroupName": prefix + name}
    assert problems("sagemaker", "CreateModelPackageGroup", group)
    with pytest.raises(GustbedError, match="cannot name a group"):
        _refuse_name(CLOUD, prefix, name)
    taken = name.rstrip("-")[: 63 - len(prefix)]
    _refuse_name(CLOUD, prefix, taken)
    group = {"ModelPackageGroupName": prefix + taken}
    assert problems("sagemaker", "CreateModelPackageGroup", group) == []


def test_alert_of_the_longest_event_fits_and_of_an_empty_one_is_taken() -> None:
    alert = function("alert")
    for fill in ("x" * 50_000, "", " "):
        (row,) = alert.anomalies(
            json.dumps(batch("opened", site=fill, turbine=fill, kind=fill)), lambda _: True
        )
        notice = alert.notice(row)
        values = [each["StringValue"] for each in notice["MessageAttributes"].values()]
        assert all(values)
        assert 1 <= len(notice["Subject"]) <= 100
        assert notice["Subject"][0] != " "
        size = len(notice["Message"].encode()) + sum(len(value.encode()) for value in values)
        assert size <= 256 * KIB


def test_lines_and_records_are_cut_below_what_the_services_take() -> None:
    lake, log = function("lake_ingest"), function("log_ingest").write.__globals__
    assert log["_MAX_LINE"] + log["_OVERHEAD"] <= 256 * KIB
    assert (log["_MAX_BYTES"], log["_MAX_EVENTS"]) <= (1_048_576, 10_000)
    assert lake.MAX_RECORD_BYTES <= 1000 * KIB
    assert (lake._MAX_RECORDS, lake._MAX_CALL_BYTES) <= (500, 4 * KIB * KIB)
    assert queued("x")["Records"]


def plan(folder: Any, **chosen: str) -> Any:
    sts = SimpleNamespace(get_caller_identity=lambda: {"Account": "123456789012"})
    session: Any = SimpleNamespace(client={"sts": sts}.__getitem__, region_name="eu-central-1")
    return make_plan(session, "gustbed", folder, chosen=chosen)


def test_template_or_parameter_that_a_request_cannot_hold_is_named(tmp_path: Any) -> None:
    (tmp_path / "functions").symlink_to(CLOUD / "functions")
    (tmp_path / "stack.yaml").write_text("#" * (MAX_TEMPLATE_BYTES + 1))
    with pytest.raises(GustbedError, match=r"stack\.yaml: 51201 bytes.*takes 51200"):
        plan(tmp_path)
    with pytest.raises(GustbedError, match="parameter AlertEmail: 4097 bytes"):
        plan(CLOUD, AlertEmail="a" * (MAX_PARAMETER_BYTES + 1))
