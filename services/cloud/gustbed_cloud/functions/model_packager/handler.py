"""Turn an approval into a signed release in the artifact bucket, and into its rollout.

An approval record that arrives in the bucket brings an S3 event here. A change of approval in the
registry brings an EventBridge event; if it was decided there, in SageMaker's console say, it gets a
record first. An edge that was enrolled gets what was approved before it came, signed for it alone.
Running twice is harmless.
"""

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import unquote_plus

from model_packager.archive import name_and_version

from gustbed_cloud.approval_store import next_sequence, put_approval, read_approvals
from gustbed_core import jobs
from gustbed_core.approvals import (
    SEQUENCE_PROPERTY,
    ApprovalRecord,
    Decision,
    approval_from_json,
    decided_elsewhere,
    in_force,
    of_version,
    order_number,
)
from gustbed_core.errors import GustbedError
from gustbed_core.registrations import (
    Registration,
    earlier_registration,
    model_prefix,
    package_place,
    registration_from_json,
    registration_key,
)

MAX_PACKAGE_BYTES = 64 * 1024 * 1024
ATTEMPTS = 10


@dataclass(frozen=True)
class Services:
    """The clients and names that everything here needs."""

    s3: Any
    kms: Any
    sagemaker: Any
    bucket: str
    key_id: str
    region: str
    group: str
    url_suffix: str = "amazonaws.com"


def handler(event: dict[str, Any], _context: object) -> list[dict[str, Any]]:
    """React to S3's and to the registry's events. Raises on failure, to be called again."""
    import boto3

    session = boto3.session.Session()
    services = Services(
        s3=session.client("s3"),
        kms=session.client("kms"),
        sagemaker=session.client("sagemaker"),
        bucket=os.environ["ARTIFACT_BUCKET"],
        key_id=os.environ["SIGNING_KEY_ID"],
        region=session.region_name,
        url_suffix=os.environ["URL_SUFFIX"],
        group=os.environ["THING_GROUP_NAME"],
    )
    if "detail" in event:
        return [record_decision(services, event["detail"]["ModelPackageArn"], time.time())]
    if "welcome" in event:
        return welcome(services, event["welcome"]["thing"], event["welcome"]["enrolment"])
    keys = (unquote_plus(row["s3"]["object"]["key"]) for row in event["Records"])
    return [package(services, key) for key in keys]


def record_decision(services: Services, arn: str, now: float) -> dict[str, Any]:
    """Write the record of what was decided in the registry itself. Raises ``GustbedError``.

    An approval there means to serve. Decisions of Gustbed's own tools have their record already.
    """
    described = services.sagemaker.describe_model_package(ModelPackageName=arn)
    url = described["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    try:
        bucket, name, version = package_place(url)
    except ValueError as error:
        raise GustbedError(arn, str(error)) from error
    if bucket != services.bucket:
        raise GustbedError(url, f"register the package in s3://{services.bucket}/models/")
    status = described["ModelApprovalStatus"]
    properties = described.get("CustomerMetadataProperties") or {}
    pointer = int(properties.get(SEQUENCE_PROPERTY, "0"))
    registered = _registration(services, name, version, described)
    for _ in range(ATTEMPTS):
        records = read_approvals(services.s3, services.bucket, name)
        decision = decided_elsewhere(status, pointer, of_version(records, name, version))
        if decision is None:
            return _done("known", arn, f"{name} {version} {status}")
        record = _record(registered, next_sequence(records), decision, _who(described), now)
        # Where the number is taken, another call was quicker: perhaps with this very event.
        if put_approval(services.s3, services.bucket, record):
            return _done("recorded", arn, f"{name} {version} {decision}")
    raise GustbedError(f"model {name}: too many decide at once", "try again")


def _record(
    registered: Registration, sequence: int, decision: Decision, by: str, now: float
) -> ApprovalRecord:
    return ApprovalRecord(
        model=registered.name,
        version=registered.version,
        sequence=sequence,
        decision=decision,
        source="registry",
        by=by,
        at=now,
        sha256=registered.sha256,
        gate=registered.gate,
    )


def _who(described: dict[str, Any]) -> str:
    changed_by = described.get("LastModifiedBy") or {}
    identity = changed_by.get("IamIdentity") or {}
    return str(identity.get("Arn") or changed_by.get("UserProfileArn") or "")


def _registration(
    services: Services, name: str, version: str, described: dict[str, Any]
) -> Registration:
    key = registration_key(name, version)
    data = _content(services, key)
    if data is None:
        return earlier_registration(name, version, described)
    return registration_from_json(data, key)


def package(services: Services, key: str) -> dict[str, Any]:
    """Check, sign and lay out what a record approves. Raises ``GustbedError``."""
    data = _content(services, key)
    if data is None:
        raise GustbedError(key, "no such approval")
    record = approval_from_json(data, key)
    records = read_approvals(services.s3, services.bucket, record.model)
    latest = of_version(records, record.model, record.version)[-1]
    if "rejected" in (record.decision, latest.decision):
        # The approval was withdrawn between the event and now.
        return _done("skipped", key, f"record {latest.sequence} rejects it")
    if not (record.gate.passed or record.gate.override):
        raise GustbedError(key, "it has not passed its gate, and nobody said why to take it")
    release = order_of(services, record, records, services.group, time.time())
    return _done("released", key, lay_out(services, release, record.rollout))


def welcome(services: Services, thing: str, enrolment: str) -> list[dict[str, Any]]:
    """Lay out for one thing what was approved before it came. Raises ``GustbedError``.

    ``enrolment`` tells one enrolment of it from the next: an edge that was set up anew asks anew.
    """
    records = read_approvals(services.s3, services.bucket)
    results = []
    for record in in_force(records):
        own = [each for each in records if each.model == record.model]
        target = f"{jobs.THING_TARGET}{thing}"
        release = order_of(services, record, own, target, time.time())
        subject = f"{thing} {enrolment} {record.rollout}"
        digest = hashlib.sha256(subject.encode()).hexdigest()[:16]
        key = lay_out(services, release, f"{jobs.welcome_prefix(services.group)}{digest}")
        results.append(_done("welcomed", subject, key))
    return results


def order_of(
    services: Services,
    record: ApprovalRecord,
    records: Sequence[ApprovalRecord],
    target: str,
    now: float,
) -> jobs.Release:
    """The order that an approval stands for. ``records`` are its model's.

    Raises ``GustbedError`` if the package is not the one that was approved.
    """
    archive = fetch(services, record)
    release = dataclasses.replace(
        release_of(archive, record),
        sequence=order_number(records, record),
        issued=int(now),
        expires=int(now) + jobs.VALID_SECONDS,
        target=target,
    )
    release_key = jobs.release_key(release.name, release.version)
    released = _content(services, release_key)
    if released is None:
        services.s3.put_object(Bucket=services.bucket, Key=release_key, Body=archive)
    elif hashlib.sha256(released).hexdigest() != release.sha256:
        raise GustbedError(
            f"{release.name} {release.version}",
            "released before with other bytes: raise the version",
        )
    return release


def lay_out(services: Services, release: jobs.Release, rollout: str) -> str:
    """Sign an order and write its job's document; return its key."""
    document = sign(services, release, rollout)
    # Last, because its arrival starts the rollout.
    services.s3.put_object(
        Bucket=services.bucket,
        Key=jobs.job_key(document),
        Body=json.dumps(asdict(document), sort_keys=True).encode(),
        ContentType="application/json",
    )
    return jobs.job_key(document)


def fetch(services: Services, record: ApprovalRecord) -> bytes:
    """Return the registered package, only so large. Raises ``GustbedError``."""
    key = f"{model_prefix(record.model, record.version)}/{jobs.PACKAGE_FILE}"
    data = _content(services, key)
    if data is None:
        raise GustbedError(f"s3://{services.bucket}/{key}", "no such package: register it anew")
    return data


def release_of(archive: bytes, record: ApprovalRecord) -> jobs.Release:
    """What is released. Raises ``GustbedError`` if the package is not the one that was approved."""
    what = f"{record.model} {record.version}"
    name, version = name_and_version(archive)
    if (name, version) != (record.model, record.version):
        raise GustbedError(what, f"its manifest says {name} {version}: register it anew")
    digest = hashlib.sha256(archive).hexdigest()
    if record.sha256 not in ("", digest):
        raise GustbedError(what, "its package has changed since: register it anew")
    return jobs.Release(name, version, len(archive), digest, record.rollback, record.role)


def sign(services: Services, release: jobs.Release, rollout: str) -> jobs.JobDocument:
    """Return the job document with KMS's signature over the release."""
    answer = services.kms.sign(
        KeyId=services.key_id,
        Message=release.digest(),
        MessageType="DIGEST",
        SigningAlgorithm="ECDSA_SHA_256",
    )
    key = jobs.release_key(release.name, release.version)
    return jobs.JobDocument(
        release=release,
        url=jobs.presigned_placeholder(services.bucket, key, services.region, services.url_suffix),
        signature=jobs.Signature.from_bytes(answer["Signature"], services.key_id),
        rollout=rollout,
    )


def _content(services: Services, key: str) -> bytes | None:
    """An object of at most ``MAX_PACKAGE_BYTES``, None if there is none."""
    try:
        answer = services.s3.get_object(Bucket=services.bucket, Key=key)
    except services.s3.exceptions.NoSuchKey:
        return None
    size = answer["ContentLength"]
    if size > MAX_PACKAGE_BYTES:
        raise GustbedError(
            f"s3://{services.bucket}/{key}", f"{size} bytes, at most {MAX_PACKAGE_BYTES}"
        )
    data: bytes = answer["Body"].read(MAX_PACKAGE_BYTES + 1)
    return data


def _done(outcome: str, subject: str, detail: str) -> dict[str, Any]:
    result = {"outcome": outcome, "subject": subject, "detail": detail}
    print(json.dumps({"level": "info", **result}))
    return result
