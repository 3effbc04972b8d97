"""Tells the event bus what AWS's registry would tell it."""

import importlib
import json
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

SOURCE = "gustbed.sagemaker"
"""PutEvents refuses ``aws.sagemaker``; the stack's rule listens to both."""
DETAIL_TYPE = "SageMaker Model Package State Change"
RETRY_SECONDS = 1.0


def announce_forever(
    unsent: queue.Queue[tuple[int, dict[str, Any]]],
    sent: Callable[[int], None],
    stop: threading.Event,
) -> None:
    """Announce approvals in order, each until the event bus has taken it."""
    boto3 = importlib.import_module("boto3")
    config = importlib.import_module("botocore.config").Config(
        connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}
    )
    complained = False
    while not stop.is_set():
        try:
            number, event = unsent.get(timeout=0.5)
        except queue.Empty:
            continue
        # A disk that does not take the note of it must not let it be told again and again.
        put = False
        while not stop.is_set():
            try:
                if not put:
                    bus = boto3.client("events", region_name=event["region"], config=config)
                    _put(bus, event)
                    put = True
                sent(number)
                break
            except Exception as error:  # noqa: BLE001 - whatever it is, it must be tried again
                if not complained:
                    print(f"gustbed-registry: announcing: {error}: trying again", file=sys.stderr)
                complained = True
                stop.wait(RETRY_SECONDS)
        complained = False


def _put(bus: Any, event: Mapping[str, Any]) -> None:
    answer = bus.put_events(
        Entries=[
            {
                "Source": SOURCE,
                "DetailType": DETAIL_TYPE,
                "Resources": [event["resource"]],
                "Detail": json.dumps(event["detail"]),
            }
        ]
    )
    if answer["FailedEntryCount"]:
        raise RuntimeError(answer["Entries"][0].get("ErrorMessage", "refused"))
