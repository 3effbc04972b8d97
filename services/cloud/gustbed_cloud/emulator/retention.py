"""What the emulator may hold of logs and of the lake: it keeps everything, and forever."""

from types import SimpleNamespace
from typing import Any

KEPT_LINES = 10_000
"""Lines per stream."""
KEPT_STREAMS = 20
"""Streams per Lambda function: the emulator makes one per invocation, AWS one per worker."""
FUNCTION_GROUPS = "/aws/lambda/"
KEPT_OBJECTS = 5_000
"""Objects in a lake, of at most some 100 KB each: the emulator expires none by age."""
LAKE = "-lake-"
"""What is in the name of a lake's bucket."""


def trim(logs: Any) -> None:
    """Drop the oldest lines of long streams, and functions' oldest streams."""
    for (_, _, name), group in logs._log_groups.all_items():
        streams = group.get("streams", {})
        if name.startswith(FUNCTION_GROUPS):
            # In order of creation, which a restart keeps; workers may add to it meanwhile.
            for stream in list(streams)[:-KEPT_STREAMS]:
                streams.pop(stream, None)
        for stream in list(streams.values()):
            if len(stream["events"]) > KEPT_LINES:
                with logs._log_events_lock:
                    del stream["events"][:-KEPT_LINES]
    # A second copy of every line ever put, by its id. Queries make what they need of it anew.
    logs._log_records._data.clear()


def trim_lake(firehose: Any, s3: Any) -> None:
    """Drop the records that Firehose has delivered, and the oldest objects of lakes."""
    with firehose._lock:
        for stream in firehose._streams._data.values():
            for destination in stream["destinations"]:
                destination["records"].clear()
    for (_, name), bucket in list(s3._buckets._data.items()):
        if LAKE in name and len(bucket["objects"]) > KEPT_OBJECTS:
            # Keys begin with the day, and go on with the second, of arrival.
            for key in sorted(bucket["objects"])[:-KEPT_OBJECTS]:
                s3._purge_current_object(name, key, bucket)


def share_state(logs: Any) -> None:
    """Let ``get_state`` hand out the state itself: it is serialised at once.

    Copying takes longer than that, and fails when a worker adds a stream meanwhile.
    """
    logs.copy = SimpleNamespace(deepcopy=lambda state: state)
