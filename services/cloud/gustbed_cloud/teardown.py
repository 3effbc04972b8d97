"""Take the fleet's cloud side down: devices' identities, jobs, models, artifacts, stack."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from gustbed_cloud.aws import Session, error_code, readable_errors
from gustbed_cloud.deploy import Report, code_bucket, first_failure, wait
from gustbed_cloud.device_keys import STACK_ATTRIBUTE
from gustbed_cloud.outputs import describe
from gustbed_core.errors import GustbedError

SETTLE_SECONDS = 120.0
"""How long AWS gets for what it does after it has answered."""
PAUSE = 1.0
_STREAM = "AWS::KinesisFirehose::DeliveryStream"
_TRIES = 3


@readable_errors()
def destroy(
    session: Session, stack: str, *, keep_models: bool = False, report: Report = print
) -> None:
    """Delete everything that ``deploy`` and ``enrol`` made. Raises ``GustbedError``.

    ``keep_models``: leave the model registry alone, for a stack that is made anew.
    """
    cloudformation = session.client("cloudformation")
    described = describe(cloudformation, stack)
    account = session.client("sts").get_caller_identity()["Account"]
    buckets = [f"{stack}-{name}-{account}-{session.region_name}" for name in ("artifacts", "lake")]
    log_groups: list[str] = []
    if described is not None:
        log_groups = _resources(session, stack, "AWS::Logs::LogGroup")
        # By what the template names it: a stack that failed, or an older one, lacks outputs.
        group = f"{stack}-edges"
        _remove_jobs(session.client("iot"), group, report)
        _remove_things(session.client("iot"), stack, group, report)
        # Before its bucket is emptied, for it delivers what it holds.
        _delete_streams(session, stack, report)
        _delete_stack(session, stack, buckets, report)
    s3 = session.client("s3")
    bucket = code_bucket(stack, account, session.region_name)
    if _empty(s3, bucket, report):
        s3.delete_bucket(Bucket=bucket)
    if not keep_models:
        _remove_models(session.client("sagemaker"), f"{stack}-", buckets[0], report)
        _remove_log_groups(session.client("logs"), log_groups, report)
    left = list(_left(session, stack, [*buckets, bucket], log_groups))
    for line in left:
        report(f"left: {line}")
    report(f"stack {stack}: gone{'' if left else ', nothing left'}")


def _remove_jobs(iot: Any, group: str, report: Report) -> None:
    """Delete the fleet's rollouts, running ones too."""
    count = 0
    jobs: list[str] = []
    with suppress(iot.exceptions.ResourceNotFoundException):
        pages = iot.get_paginator("list_jobs").paginate(thingGroupName=group)
        jobs = [job["jobId"] for page in pages for job in page["jobs"]]
    for job in jobs:
        # Asked again, for an emulator may list those of others, too.
        found = iot.describe_job(jobId=job)["job"]
        if any(target.endswith(f":thinggroup/{group}") for target in found["targets"]):
            iot.delete_job(jobId=job, force=True)
            count += 1
    if count:
        report(f"jobs: {count} deleted")


def _remove_jobs_of(iot: Any, thing: str) -> None:
    """Delete jobs that were for this thing alone, as what is caught up at enrolment."""
    pages = iot.get_paginator("list_job_executions_for_thing").paginate(thingName=thing)
    for job in [row["jobId"] for page in pages for row in page["executionSummaries"]]:
        # A rollout of the group is being deleted already.
        with suppress(iot.exceptions.ResourceNotFoundException):
            targets = iot.describe_job(jobId=job)["job"]["targets"]
            if all(target.endswith(f":thing/{thing}") for target in targets):
                iot.delete_job(jobId=job, force=True)


def _remove_things(iot: Any, stack: str, group: str, report: Report) -> None:
    for thing in sorted(set(_things(iot, stack, group))):
        remove_thing(iot, thing)
        report(f"thing {thing}: removed")


def remove_thing(iot: Any, thing: str) -> None:
    """Delete a thing with its certificates and the jobs that were for it alone."""
    _remove_jobs_of(iot, thing)
    for arn in _principals(iot, thing):
        remove_certificate(iot, thing, arn)
    _patiently(lambda: iot.delete_thing(thingName=thing), iot)


def _things(iot: Any, stack: str, group: str) -> Iterator[str]:
    """Things of the fleet's group, and those that say that they belong to the stack."""
    pages = iot.get_paginator("list_things").paginate(
        attributeName=STACK_ATTRIBUTE, attributeValue=stack
    )
    yield from (thing["thingName"] for page in pages for thing in page["things"])
    pages = iot.get_paginator("list_things_in_thing_group").paginate(thingGroupName=group)
    with suppress(iot.exceptions.ResourceNotFoundException):
        yield from (thing for page in pages for thing in page["things"])


def _principals(iot: Any, thing: str) -> list[str]:
    pages = iot.get_paginator("list_thing_principals").paginate(thingName=thing)
    return [arn for page in pages for arn in page["principals"] if ":cert/" in arn]


def remove_certificate(iot: Any, thing: str, arn: str) -> None:
    """Deactivate, detach and delete a certificate; waits until AWS has detached it."""
    certificate_id = arn.rsplit("/", 1)[-1]
    iot.update_certificate(certificateId=certificate_id, newStatus="INACTIVE")
    iot.detach_thing_principal(thingName=thing, principal=arn)
    # Its policies are detached with it.
    _patiently(lambda: iot.delete_certificate(certificateId=certificate_id, forceDelete=True), iot)


def _patiently(call: Callable[[], object], iot: Any) -> None:
    """Call until what AWS still does in the background no longer forbids it."""
    busy = (iot.exceptions.DeleteConflictException, iot.exceptions.InvalidRequestException)
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            call()
        except busy:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
        else:
            return


def _delete_streams(session: Session, stack: str, report: Report) -> None:
    """Delete the delivery streams and wait until they are gone."""
    firehose = session.client("firehose")
    for name in _resources(session, stack, _STREAM):
        deadline = time.monotonic() + SETTLE_SECONDS
        with suppress(firehose.exceptions.ResourceNotFoundException):
            firehose.delete_delivery_stream(DeliveryStreamName=name, AllowForceDelete=True)
            while time.monotonic() < deadline:
                firehose.describe_delivery_stream(DeliveryStreamName=name)
                time.sleep(PAUSE)
        report(f"stream {name}: deleted")


def _delete_stack(session: Session, stack: str, buckets: list[str], report: Report) -> None:
    """Empty the buckets and delete the stack; again if something came in between."""
    cloudformation, s3 = session.client("cloudformation"), session.client("s3")
    left: dict[str, Any] | None = None
    for _ in range(_TRIES):
        for bucket in buckets:
            _empty(s3, bucket, report)
        cloudformation.delete_stack(StackName=stack)
        left = wait(cloudformation, stack, report)
        if left is None:
            return
    status = left["StackStatus"] if left else "not deleted"
    raise GustbedError(f"stack {stack} is {status}", first_failure(cloudformation, stack))


def _remove_models(sagemaker: Any, prefix: str, bucket: str, report: Report) -> None:
    """Delete the registry's groups of this fleet, whose packages lie in its bucket."""
    pages = sagemaker.get_paginator("list_model_package_groups").paginate(NameContains=prefix)
    rows = [row for page in pages for row in page["ModelPackageGroupSummaryList"]]
    groups = [row["ModelPackageGroupName"] for row in rows]
    for group in (name for name in groups if name.startswith(prefix)):
        versions = sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group
        )
        arns = [r["ModelPackageArn"] for p in versions for r in p["ModelPackageSummaryList"]]
        if not all(_lies_in(sagemaker, arn, bucket) for arn in arns):
            report(f"model group {group}: left, its packages are not of this stack")
            continue
        for arn in arns:
            sagemaker.delete_model_package(ModelPackageName=arn)
        sagemaker.delete_model_package_group(ModelPackageGroupName=group)
        report(f"model group {group}: deleted")


def _lies_in(sagemaker: Any, arn: str, bucket: str) -> bool:
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    containers = described["InferenceSpecification"]["Containers"]
    return all(each["ModelDataUrl"].startswith(f"s3://{bucket}/") for each in containers)


def _resources(session: Session, stack: str, kind: str) -> list[str]:
    """Names of a stack's resources of one type."""
    found = session.client("cloudformation").describe_stack_resources(StackName=stack)
    rows = [row for row in found["StackResources"] if row["ResourceType"] == kind]
    return [row["PhysicalResourceId"] for row in rows if row.get("PhysicalResourceId")]


def _remove_log_groups(logs: Any, names: list[str], report: Report) -> None:
    """Delete log groups that a function's last words have made again."""
    for name in _present(logs, names):
        with suppress(logs.exceptions.ResourceNotFoundException):
            logs.delete_log_group(logGroupName=name)
            report(f"log group {name}: deleted")


def _present(logs: Any, names: list[str]) -> list[str]:
    return [
        name
        for name in names
        for group in logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        if group["logGroupName"] == name
    ]


def _left(session: Session, stack: str, buckets: list[str], log_groups: list[str]) -> Iterator[str]:
    """What is there that ``deploy`` and ``enrol`` made."""
    s3 = session.client("s3")
    for bucket in buckets:
        if _exists(s3, bucket):
            yield f"bucket {bucket}"
    for name in _present(session.client("logs"), log_groups):
        yield f"log group {name}"
    pages = (
        session.client("iot")
        .get_paginator("list_things")
        .paginate(attributeName=STACK_ATTRIBUTE, attributeValue=stack)
    )
    for thing in (thing for page in pages for thing in page["things"]):
        yield f"thing {thing['thingName']}"


def _exists(s3: Any, bucket: str) -> bool:
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error_code(error) in ("NoSuchBucket", "404"):
            return False
        raise
    return True


def _empty(s3: Any, bucket: str, report: Report) -> bool:
    """Delete every version of every object. Returns whether the bucket exists."""
    count = 0
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            rows = [
                {"Key": row["Key"], "VersionId": row["VersionId"]}
                for row in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
            ]
            if rows:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": rows, "Quiet": True})
            count += len(rows)
    except s3.exceptions.ClientError as error:
        if error_code(error) in ("NoSuchBucket", "404"):
            return False
        raise
    if count:
        report(f"bucket {bucket}: emptied")
    return True
