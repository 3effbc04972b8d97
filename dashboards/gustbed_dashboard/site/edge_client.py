"""The edge gateway's HTTP interface, as far as the dashboard reads it."""

import contextlib
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from gustbed_core import edge_http
from gustbed_core.edge_http import ModelInfo
from gustbed_core.errors import GustbedError
from gustbed_core.events import AnomalyEvent

EDGE_NAMED = "GUSTBED_EDGE_URL names its address"
TIMEOUT_SECONDS = 2.0
MAX_BYTES = 4 * 1024 * 1024
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class EdgeClient:
    """``url`` is the edge's base address; ``named`` says what names it.

    Methods block, and raise ``GustbedError`` with both.
    """

    url: str
    named: str = EDGE_NAMED

    def events(self, since: float) -> list[AnomalyEvent]:
        """Anomaly events since a Unix time, latest state of each."""
        return self._get(f"{edge_http.EVENTS}?since={since:.0f}", list[AnomalyEvent])

    def models(self) -> list[ModelInfo]:
        """The models that it runs."""
        return self._get(edge_http.MODELS, list[ModelInfo])

    def _get(self, path: str, answer_type: type[_T]) -> _T:
        # No proxy: the edge is of this site, whatever the environment says of the world.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}{path}", timeout=TIMEOUT_SECONDS) as answer:
                body = answer.read(MAX_BYTES)
            return msgspec.json.decode(body, type=answer_type)
        except urllib.error.HTTPError as error:
            with error:
                raise GustbedError(f"edge at {self.url}", _told(error)) from error
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            reason = getattr(error, "reason", error)
            reason = getattr(reason, "strerror", None) or reason
            raise GustbedError(
                f"edge at {self.url}: {reason}", f"is it running? {self.named}"
            ) from error


def _told(refusal: urllib.error.HTTPError) -> str:
    """What the edge itself says of its refusal, with the remedy."""
    with contextlib.suppress(OSError, msgspec.MsgspecError, KeyError):
        return msgspec.json.decode(refusal.read(MAX_BYTES), type=dict[str, str])["error"]
    return f"answers {refusal.code} {refusal.reason}: see `gustbed logs edge`"
