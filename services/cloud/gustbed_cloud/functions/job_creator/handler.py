"""Start the rollout of a release whose ``job.json`` has arrived in the artifact bucket.

The job's id follows from the release, so that a repeated notification creates nothing new.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any, get_args
from urllib.parse import unquote_plus

from gustbed_core import jobs
from gustbed_core.errors import GustbedError

MAX_DOCUMENT_BYTES = 32 * 1024
"""AWS IoT's limit for a job document."""
PRESIGNED_SECONDS = 3600
"""AWS IoT's longest validity of a download link; a device gets a fresh one whenever it asks."""


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
    release = read_release(key, text)
    job_id = job_id_of(release)
    try:
        iot.create_job(jobId=job_id, document=text.decode(), **job_settings(release, env))
        print(json.dumps({"level": "info", "outcome": "created", "job": job_id}))
    except iot.exceptions.ResourceAlreadyExistsException:
        print(json.dumps({"level": "info", "outcome": "exists", "job": job_id}))
    return job_id


def read_release(key: str, text: bytes) -> jobs.Release:
    """Read the release out of a job document. Raises ``GustbedError`` naming the object."""
    if len(text) > MAX_DOCUMENT_BYTES:
        raise GustbedError(key, f"more than {MAX_DOCUMENT_BYTES} bytes")
    try:
        document = json.loads(text)
        release = jobs.Release(**document["release"])
        operation, schema = document["operation"], document["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise GustbedError(key, f"not a job document: {error!r}") from error
    if (operation, schema) != (jobs.OPERATION_UPDATE_MODEL, jobs.SCHEMA):
        raise GustbedError(key, f"operation {operation!r}, schema {schema!r} are not known")
    if release.role not in get_args(jobs.Role):
        raise GustbedError(key, f"role {release.role!r} is not known")
    if key != jobs.job_key(release):
        raise GustbedError(key, f"says that it is {described(release)}")
    return release


def job_id_of(release: jobs.Release) -> str:
    """Return the same id for the same release: at most 64 of the characters that IoT allows."""
    digest = hashlib.sha256(release.statement()).hexdigest()[:8]
    return f"{release.name[:24]}-{release.version.replace('.', '_')}-{digest}"


def described(release: jobs.Release) -> str:
    """Name and version, and the role unless it serves: the job's description, read by operators
    and by ``gustbed_cloud.rollouts``.
    """
    name = f"{release.name} {release.version}"
    return name if release.role == "serve" else f"{name} {release.role}"


def job_settings(release: jobs.Release, env: Mapping[str, str]) -> dict[str, Any]:
    """Return target, pace, timeout and the point at which a bad rollout stops itself."""
    return {
        "targets": [env["THING_GROUP_ARN"]],
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
