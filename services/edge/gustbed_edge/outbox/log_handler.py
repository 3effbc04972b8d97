"""Log lines that the cloud should see too: warnings and worse, and what updates say."""

import logging
from collections.abc import Callable

from gustbed_core.events import LogLine

MAX_MESSAGE = 500


class CloudLogHandler(logging.Handler):
    """Passes records of ours on as ``LogLine``; never raises into the code that logs."""

    def __init__(self, keep: Callable[[LogLine], None], level: int = logging.WARNING) -> None:
        super().__init__(level)
        self._keep = keep

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record, without its traceback."""
        try:
            message = record.getMessage()[:MAX_MESSAGE]
            self._keep(LogLine(record.created, record.levelname.lower(), message))
        except Exception:  # noqa: BLE001 - logging must not stop what it reports on
            self.handleError(record)
