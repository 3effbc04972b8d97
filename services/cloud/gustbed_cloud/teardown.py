"""Take the fleet's cloud side down: devices' identities, stored artifacts, stack, code bucket."""

from typing import Any

from gustbed_cloud.aws import Session, error_code, readable_errors
from gustbed_cloud.deploy import Report, code_bucket, first_failure, wait
from gustbed_cloud.enrol import remove_certificate
from gustbed_cloud.outputs import Outputs, describe, from_description
from gustbed_core.errors import GustbedError


@readable_errors()
def destroy(session: Session, stack: str, *, report: Report = print) -> None:
    """Delete everything that ``deploy`` and ``enrol`` made. Raises ``GustbedError``."""
    cloudformation = session.client("cloudformation")
    described = describe(cloudformation, stack)
    s3 = session.client("s3")
    if described is not None:
        try:
            outputs: Outputs | None = from_description(described)
        except GustbedError:
            outputs = None  # a stack that failed early has none
        if outputs is not None:
            _remove_things(session.client("iot"), outputs, report)
            _empty(s3, outputs.artifact_bucket, report)
            _empty(s3, outputs.lake_bucket, report)
        cloudformation.delete_stack(StackName=stack)
        left = wait(cloudformation, stack, report)
        if left is not None:
            raise GustbedError(
                f"stack {stack} is {left['StackStatus']}", first_failure(cloudformation, stack)
            )
    account = session.client("sts").get_caller_identity()["Account"]
    bucket = code_bucket(stack, account, session.region_name)
    if _empty(s3, bucket, report):
        s3.delete_bucket(Bucket=bucket)
    report(f"stack {stack}: gone")


def _remove_things(iot: Any, outputs: Outputs, report: Report) -> None:
    try:
        pages = iot.get_paginator("list_things_in_thing_group").paginate(
            thingGroupName=outputs.thing_group_name
        )
        things = [thing for page in pages for thing in page["things"]]
    except iot.exceptions.ResourceNotFoundException:
        return
    for thing in things:
        for arn in iot.list_thing_principals(thingName=thing)["principals"]:
            if ":cert/" in arn:
                remove_certificate(iot, outputs.policy_name, thing, arn)
        iot.delete_thing(thingName=thing)
        report(f"thing {thing}: removed")


def _empty(s3: Any, bucket: str, report: Report) -> bool:
    """Delete every version of every object. Returns whether the bucket exists."""
    try:
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
        rows = [
            {"Key": row["Key"], "VersionId": row["VersionId"]}
            for page in pages
            for row in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        ]
    except s3.exceptions.ClientError as error:
        if error_code(error) in ("NoSuchBucket", "404"):
            return False
        raise
    for start in range(0, len(rows), 1000):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": rows[start : start + 1000]})
    if rows:
        report(f"bucket {bucket}: emptied")
    return True
