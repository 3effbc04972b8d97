"""Whose the events are that were open at the last stop."""

from collections.abc import Container, Iterable, Iterator

from gustbed_core.events import AnomalyEvent
from gustbed_core.mirror import is_mirrors


def of_mirrors(events: Iterable[AnomalyEvent]) -> Iterator[AnomalyEvent]:
    """Those that mirrors found."""
    return (event for event in events if is_mirrors(event))


def of_workload(
    name: str, events: Iterable[AnomalyEvent], others: Container[str], *, rest: bool
) -> Iterator[AnomalyEvent]:
    """Those of a workload: it is named in them. ``rest``: it also takes what names none of the
    ``others`` and no mirror.
    """
    for event in events:
        left = rest and event.model.name not in others and not is_mirrors(event)
        if event.model.name == name or left:
            yield event
