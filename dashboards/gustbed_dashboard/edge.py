"""The edge gateway's HTTP interface, as far as the dashboard reads it."""

import urllib.error
import urllib.request

import msgspec

from gustbed_protocol.errors import GustbedError
from gustbed_protocol.events import AnomalyEvent

TIMEOUT_SECONDS = 2.0
MAX_BYTES = 4 * 1024 * 1024


def fetch_events(url: str, since: float) -> list[AnomalyEvent]:
    """Anomaly events since a Unix time, latest state of each.

    ``url`` is the edge's base address. Raises ``GustbedError`` naming it.
    """
    address = f"{url}/events?since={since:.0f}"
    try:
        # The scheme is http or https: the settings check it.
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            body = answer.read(MAX_BYTES)
        return msgspec.json.decode(body, type=list[AnomalyEvent])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        reason = getattr(error, "reason", error)
        reason = getattr(reason, "strerror", None) or reason
        raise GustbedError(
            f"edge at {url}: {reason}", "is it running? GUSTBED_EDGE_URL names its address"
        ) from error
