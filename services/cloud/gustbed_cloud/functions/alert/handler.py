"""Tell people of opened and closed anomaly events, through SNS.

Deliveries repeat: the event's id, in the text and the attributes, tells repeats apart.
"""

import json
import os
from datetime import UTC, datetime
from functools import cache
from typing import Any

from membership import Members, Ours, everybody

ANNOUNCED = ("opened", "closed")
_MAX_SUBJECT = 100


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Take a batch from the queue; return the messages that must be delivered again."""
    import boto3

    ours = _members(os.environ["STACK"])
    return announce(event, boto3.client("sns"), os.environ["TOPIC_ARN"], ours)


@cache
def _members(stack: str) -> Members:
    """Kept as long as Lambda keeps this process, so that a thing is not asked about each time."""
    import boto3

    return Members(boto3.client("iot"), stack)


def announce(
    event: dict[str, Any], sns: Any, topic_arn: str, ours: Ours = everybody
) -> dict[str, Any]:
    """Publish one notice per opened or closed event. Messages that make no sense are logged."""
    failed = []
    for record in event["Records"]:
        try:
            for anomaly in anomalies(record["body"], ours):
                sns.publish(TopicArn=topic_arn, **notice(anomaly))
        except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
            # log_ingest keeps the message itself; sending it again would not make it sense.
            print(json.dumps({"level": "error", "reason": f"not an event batch: {error!r}"}))
        except Exception as error:  # noqa: BLE001 - whatever it is, SQS delivers again
            print(json.dumps({"level": "error", "error": str(error)}))
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def anomalies(body: str, ours: Ours) -> list[dict[str, Any]]:
    """Return the events worth a notice, with the thing that the topic names."""
    message = json.loads(body)
    if not ours(message["mqtt_thing"]):
        return []
    rows = [row for row in message["events"] if row["change"] in ANNOUNCED]
    return [{**row, "thing": message["mqtt_thing"]} for row in rows]


def notice(anomaly: dict[str, Any]) -> dict[str, Any]:
    """Return subject, text and attributes. Raises ``KeyError`` and its like for a bad event."""
    place = f"{anomaly['turbine']} at {anomaly['site']}"
    subject = f"{anomaly['kind']} anomaly {anomaly['change']} on {place}"
    model = anomaly["model"]
    lines = [
        f"{subject}.",
        "",
        f"Opened: {_utc(anomaly['opened'])}",
        f"Closed: {_utc(anomaly['closed']) if anomaly['closed'] is not None else 'still open'}",
        f"Peak score: {anomaly['peak_score']:.2f} (1 is the threshold)",
        f"Model: {model['name']} {model['version']}",
        f"Edge: {anomaly['thing']}",
        f"Event: {anomaly['id']}",
    ]
    named = ("id", "site", "thing", "turbine", "kind", "change")
    # SNS takes no empty value, and no subject that begins with a space.
    attributes = {
        name: {"DataType": "String", "StringValue": str(anomaly[name])[:256] or "-"}
        for name in named
    }
    ascii_subject = subject.encode("ascii", "replace").decode().translate(_NO_BREAKS).strip()
    return {
        "Subject": ascii_subject[:_MAX_SUBJECT],
        "Message": "\n".join(lines),
        "MessageAttributes": attributes,
    }


_NO_BREAKS = dict.fromkeys((*range(32), 127), " ")


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
