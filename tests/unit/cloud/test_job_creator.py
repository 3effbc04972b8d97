"""job_creator: from a job document to AWS IoT Jobs, once."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from gustbed_core.errors import GustbedError
from tests.support.aws_contract import modelled
from tests.support.aws_rights import environment
from tests.unit.cloud.functions import ExistsError, FakeS3, load
from tests.unit.cloud.releases import BUCKET, approval, job_of, released, run

creator = load("job_creator")

ENV = environment("job_creator")


@modelled("iot")
class FakeIot:
    exceptions = SimpleNamespace(ResourceAlreadyExistsException=ExistsError)

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}

    def create_job(self, **request: Any) -> None:
        if request["jobId"] in self.jobs:
            raise ExistsError
        self.jobs[request["jobId"]] = request


def test_job_goes_to_the_group_with_pace_timeout_and_abort() -> None:
    record, iot = approval(), FakeIot()
    s3 = released(record)
    job_id = creator.create(BUCKET, job_of(record), s3, iot, ENV)
    assert job_id == record.rollout
    job = iot.jobs[job_id]
    assert job["targets"] == [ENV["THING_GROUP_ARN"]]
    assert job["document"] == s3.objects[job_of(record)].decode()
    assert job["presignedUrlConfig"]["roleArn"] == ENV["PRESIGN_ROLE_ARN"]
    assert job["jobExecutionsRolloutConfig"] == {"maximumPerMinute": 60}
    assert job["timeoutConfig"] == {"inProgressTimeoutInMinutes": 10}
    assert {row["failureType"] for row in job["abortConfig"]["criteriaList"]} == {
        "FAILED",
        "TIMED_OUT",
    }


def test_repeated_notification_creates_one_job() -> None:
    record, iot = approval(), FakeIot()
    s3 = released(record)
    first = creator.create(BUCKET, job_of(record), s3, iot, ENV)
    run(s3, record)  # the approval was announced twice too, and the signature differs
    assert creator.create(BUCKET, job_of(record), s3, iot, ENV) == first
    assert len(iot.jobs) == 1


def test_every_approval_is_a_job_of_its_own() -> None:
    records = [approval(1, role="shadow"), approval(2), approval(3), approval(4, rollback=True)]
    s3, iot = released(*records), FakeIot()
    jobs = [creator.create(BUCKET, job_of(record), s3, iot, ENV) for record in records]
    assert jobs == [record.rollout for record in records]
    assert len(set(jobs)) == 4


def test_document_in_the_place_of_another_rollout_creates_no_job() -> None:
    first, second, iot = approval(1), approval(2), FakeIot()
    document = released(first).objects[job_of(first)]
    with pytest.raises(GustbedError, match=f"says that it is {job_of(first)}"):
        creator.create(BUCKET, job_of(second), FakeS3(**{job_of(second): document}), iot, ENV)
    assert iot.jobs == {}


def test_job_ids_differ_by_record_and_keep_to_what_iot_accepts() -> None:
    record = approval(999_999, model="a" * 63, version="999999999.999999999.999999999")
    ids = {
        record.rollout,
        replace(record, sequence=1).rollout,
        replace(record, model="a" * 62).rollout,
        replace(record, version="1.0.0").rollout,
    }
    assert len(ids) == 4
    for job_id in ids:
        assert 1 <= len(job_id) <= 64
        assert job_id.replace("-", "").replace("_", "").isalnum()


_AT_REST = '"name": "windturbine", "version": "1.2.0", "size": 3, "sha256": "0"'
_RELEASE = f'{_AT_REST}, "sequence": 7, "issued": 5, "expires": 9, "target": "gustbed-edges"'
_REST = (
    '"url": "", "signature": {"value": "", "key_id": ""}, "operation": "update_model", "schema": 2'
)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"release": {}}',
        b"x" * 40_000,
        f'{{"release": {{{_RELEASE}}}, {_REST}}}',
        f'{{"release": {{{_RELEASE}}}, {_REST}, "rollout": "../x"}}',
        f'{{"release": {{{_RELEASE}}}, {_REST.replace("update_model", "format")}, "rollout": "r"}}',
        f'{{"release": {{{_RELEASE}}}, {_REST.replace("2", "3")}, "rollout": "r"}}',
        f'{{"release": {{{_AT_REST}}}, {_REST}, "rollout": "r"}}',
        f'{{"release": {{{_RELEASE.replace("gustbed-", "other-")}}}, {_REST}, "rollout": "r"}}',
        f'{{"release": {{{_RELEASE}, "role": "king"}}, {_REST}, "rollout": "r"}}',
        f'{{"release": {{{_RELEASE.replace("1.2.0", "1.2.1")}}}, {_REST}, "rollout": "r"}}',
    ],
)
def test_document_that_is_none_creates_no_job(text: bytes | str) -> None:
    iot, key = FakeIot(), "releases/windturbine/1.2.0/r/job.json"
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(GustbedError, match="releases/windturbine"):
        creator.create(BUCKET, key, FakeS3(**{key: data}), iot, ENV)
    assert iot.jobs == {}


def test_order_for_one_thing_goes_to_it_alone() -> None:
    iot, key = FakeIot(), "releases/windturbine/1.2.0/r/job.json"
    release = _RELEASE.replace("gustbed-edges", "thing:edge-9")
    text = f'{{"release": {{{release}}}, {_REST}, "rollout": "r"}}'
    creator.create(BUCKET, key, FakeS3(**{key: text.encode()}), iot, ENV)
    assert iot.jobs["r"]["targets"] == ["arn:aws:iot:eu-central-1:123456789012:thing/edge-9"]


def test_document_in_its_place_creates_one() -> None:
    iot, key = FakeIot(), "releases/windturbine/1.2.0/r/job.json"
    text = f'{{"release": {{{_RELEASE}}}, {_REST}, "rollout": "r"}}'
    assert creator.create(BUCKET, key, FakeS3(**{key: text.encode()}), iot, ENV) == "r"
