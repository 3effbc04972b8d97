"""Approval records in the artifact bucket: read them, and add one under the next number.

Part of model_packager's archive too, so it needs nothing but Python and the client it is given.
"""

from collections.abc import Iterator, MutableMapping
from dataclasses import replace
from typing import Any

from gustbed_core.approvals import (
    MAX_SEQUENCE,
    ApprovalRecord,
    approval_from_json,
    approval_key,
    approvals_prefix,
)
from gustbed_core.errors import GustbedError

Place = tuple[str, str]
"""A record's key and the ETag of its content."""
_ATTEMPTS = 10
_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")
"""S3's codes for an object that is there already, or is being written by somebody else."""


def read_approvals(
    s3: Any,
    bucket: str,
    model: str = "",
    known: MutableMapping[Place, ApprovalRecord] | None = None,
) -> list[ApprovalRecord]:
    """Return a model's records, or every model's, in order of their numbers.

    ``known`` keeps what was read. Raises ``GustbedError`` naming a damaged one.
    """
    known = {} if known is None else known
    places = list(_places(s3, bucket, approvals_prefix(model)))
    for place in places:
        if place not in known:
            key, _ = place
            data = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            known[place] = approval_from_json(data, key)
    return sorted((known[place] for place in places), key=lambda record: record.sequence)


def add_approval(s3: Any, bucket: str, record: ApprovalRecord) -> ApprovalRecord:
    """Write a record under its number, or the next free one if that is taken; return it."""
    for sequence in range(record.sequence, record.sequence + _ATTEMPTS):
        if put_approval(s3, bucket, numbered := replace(record, sequence=sequence)):
            return numbered
    raise GustbedError(f"model {record.model}: too many decide at once", "try again")


def put_approval(s3: Any, bucket: str, record: ApprovalRecord) -> bool:
    """Write a record; return whether its number was free. Raises ``GustbedError`` at the last."""
    if record.sequence > MAX_SEQUENCE:
        raise GustbedError(f"model {record.model}: {MAX_SEQUENCE} decisions", "use another name")
    try:
        s3.put_object(
            Bucket=bucket,
            Key=approval_key(record),
            Body=record.to_json(),
            ContentType="application/json",
            IfNoneMatch="*",
        )
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in _TAKEN:
            raise
        return False
    return True


def next_sequence(records: list[ApprovalRecord]) -> int:
    """The number of a model's next record."""
    return max((record.sequence for record in records), default=0) + 1


def _places(s3: Any, bucket: str, prefix: str) -> Iterator[Place]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for row in page.get("Contents", []):
            yield row["Key"], row["ETag"]
