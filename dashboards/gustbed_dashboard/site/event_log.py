"""Anomaly events known to the dashboard, the latest word on each."""

from collections.abc import Iterable

from gustbed_core.events import AnomalyEvent

CAPACITY = 500


class EventLog:
    """Events by id, bounded: the oldest closed ones go first. Not thread-safe."""

    def __init__(self) -> None:
        self._events: dict[str, AnomalyEvent] = {}

    def add(self, event: AnomalyEvent) -> None:
        """Take what is newer: a closed event is final, and a peak never falls."""
        known = self._events.get(event.id)
        if known is not None and (
            known.closed is not None
            or (event.closed is None and event.peak_score < known.peak_score)
        ):
            return
        self._events[event.id] = event
        if len(self._events) > CAPACITY:
            oldest = min(self._events.values(), key=lambda e: (e.closed is None, e.opened))
            del self._events[oldest.id]

    def reconcile(self, history: Iterable[AnomalyEvent], asked: float) -> None:
        """Take in the edge's own list, asked for at ``asked`` (Unix seconds).

        An open event that the edge no longer knows is forgotten: it would never close.
        """
        listed = list(history)
        for event in listed:
            self.add(event)
        ids = {event.id for event in listed}
        self._events = {
            key: event
            for key, event in self._events.items()
            if key in ids or event.closed is not None or event.opened >= asked - 5.0
        }

    def newest(self) -> list[AnomalyEvent]:
        """Open ones first, then by opening time, newest first."""
        return sorted(self._events.values(), key=lambda e: (e.closed is not None, -e.opened))

    def open_count(self) -> int:
        """How many have not closed."""
        return sum(event.closed is None for event in self._events.values())
