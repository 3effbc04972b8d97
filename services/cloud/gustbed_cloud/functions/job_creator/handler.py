"""Start the rollout of a release whose ``job.json`` has arrived in the artifact bucket.

The job's id is the rollout's, so that a repeated notification creates nothing new.
"""

import json
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from gustbed_core import jobs
from gustbed_core.errors import GustbedError

MAX_DOCUMENT_BYTES = 32 * 1024
"""AWS IoT's limit for a job document."""
PRESIGNED_SECONDS = 3600
"""AWS IoT's longest validity of a download link; a device gets a fresh one whenever it asks."""
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def handler(event: dict[str, Any], _context: object) -> list[str]:
    """React to S3 notifications; return the jobs' ids. Raises on failure, to be called again."""
    import boto3

    session = boto3.session.Session()
    s3, iot = session.client("s3"), session.client("iot")
    return [
        create(place["bucket"]["name"], unquote_plus(place["object"]["key"]), s3, iot, os.environ)
        for place in (record["s3"] for record in event.get("Records", []))
    ]


def create(bucket: str, key: str, s3: Any, iot: Any, env: Mapping[str, str]) -> str:
    """Create the job unless it exists. Raises ``GustbedError`` for a document that is none."""
    answer = s3.get_object(Bucket=bucket, Key=key)
    text = answer["Body"].read(MAX_DOCUMENT_BYTES + 1)
    document = read_document(key, text)
    job_id = document.rollout
    try:
        settings = job_settings(document.release, env)
    except GustbedError as error:
        raise GustbedError(key, str(error)) from error
    try:
        iot.create_job(jobId=job_id, document=text.decode(), **settings)
        print(json.dumps({"level": "info", "outcome": "created", "job": job_id}))
    except iot.exceptions.ResourceAlreadyExistsException:
        print(json.dumps({"level": "info", "outcome": "exists", "job": job_id}))
    return job_id


def read_document(key: str, text: bytes) -> jobs.JobDocument:
    """Read a rollout's job document. Raises ``GustbedError`` naming the object."""
    if len(text) > MAX_DOCUMENT_BYTES:
        raise GustbedError(key, f"more than {MAX_DOCUMENT_BYTES} bytes")
    try:
        document = jobs.read_job_document(json.loads(text))
    except (ValueError, jobs.DocumentError) as error:
        raise GustbedError(key, f"not a job document: {error}") from error
    if not _JOB_ID.fullmatch(document.rollout):
        raise GustbedError(key, f"{document.rollout!r} cannot be the id of a job")
    if key != jobs.job_key(document):
        raise GustbedError(key, f"says that it is {jobs.job_key(document)}")
    if not document.release.is_order:
        raise GustbedError(key, "signed by an earlier Gustbed: approve the version again")
    return document


def target_arn(target: str, group_arn: str) -> str:
    """The ARN of whom an order is for. Raises ``GustbedError`` if that is neither our group nor
    a thing.
    """
    account, _, group = group_arn.rpartition(":")
    if group == f"thinggroup/{target}":
        return group_arn
    if not target.startswith(jobs.THING_TARGET):
        raise GustbedError(f"target {target[:80]!r}", f"neither a thing nor {group}")
    return f"{account}:thing/{target.removeprefix(jobs.THING_TARGET)}"


def described(release: jobs.Release) -> str:
    """Name, version and role, for people."""
    return f"{release.name} {release.version} {release.role}"


def job_settings(release: jobs.Release, env: Mapping[str, str]) -> dict[str, Any]:
    """Return target, pace, timeout and the point at which a bad rollout stops itself."""
    return {
        "targets": [target_arn(release.target, env["THING_GROUP_ARN"])],
        "targetSelection": "SNAPSHOT",
        "description": described(release),
        "presignedUrlConfig": {
            "roleArn": env["PRESIGN_ROLE_ARN"],
            "expiresInSec": PRESIGNED_SECONDS,
        },
        "jobExecutionsRolloutConfig": {"maximumPerMinute": int(env["ROLLOUT_PER_MINUTE"])},
        "timeoutConfig": {"inProgressTimeoutInMinutes": int(env["TIMEOUT_MINUTES"])},
        "abortConfig": {
            "criteriaList": [
                {
                    "failureType": failure,
                    "action": "CANCEL",
                    "thresholdPercentage": float(env["ABORT_THRESHOLD_PERCENT"]),
                    "minNumberOfExecutedThings": int(env["ABORT_MINIMUM_THINGS"]),
                }
                for failure in ("FAILED", "TIMED_OUT")
            ]
        },
    }
