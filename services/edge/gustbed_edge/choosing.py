"""Which plug-ins run here, and making them so that one that fails takes nothing with it."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from gustbed_core.errors import GustbedError
from gustbed_core.plugins import Registry
from gustbed_edge.guard import Guard

log = logging.getLogger(__name__)
F = TypeVar("F")
T = TypeVar("T")

OWN = {
    "gustbed.inputs": ("mqtt", "legacy"),
    "gustbed.workloads": ("telemetry",),
    "gustbed.sinks": ("announce", "cloud"),
    "gustbed.job_operations": ("update_model",),
}
"""Gustbed's own, which are chosen unless settings say otherwise, and which must work."""
MAKE_SECONDS = 10.0
"""That another package's factory may take; the edge starts without it then."""


@dataclass(frozen=True)
class Plugged(Generic[T]):
    """A plug-in at work. ``own``: Gustbed's."""

    plugin: T
    guard: Guard
    own: bool


def choose(registry: Registry[F], names: str, *, every: bool = True) -> list[str]:
    """The names to run, Gustbed's own first: those of the comma-separated ``names``; if there are
    none, Gustbed's own and, with ``every``, whatever else is installed.

    Raises ``GustbedError`` for a name that is not installed.
    """
    installed, own = registry.names(), OWN[registry.group]
    asked = [name.strip() for name in names.split(",") if name.strip()]
    wanted = asked or [*own, *(installed if every else ())]
    for name in wanted:
        if name not in installed:
            raise GustbedError(
                f"no {registry.group} plug-in {name!r}",
                f"installed: {', '.join(installed) or 'none; install gustbed-edge again'}",
            )
    return sorted(set(wanted), key=lambda name: (own.index(name) if name in own else 99, name))


def plug_in(
    registry: Registry[F],
    names: Sequence[str],
    make: Callable[[str, F, Guard], T | None],
    guards: list[Guard],
) -> dict[str, Plugged[T]]:
    """Load and make plug-ins. What is not Gustbed's own and fails is noted in its guard, of which
    every plug-in adds one to ``guards``; ``make`` returns None for one that has nothing to do.
    """
    made: dict[str, Plugged[T]] = {}

    def load(name: str, guard: Guard) -> T | None:
        return make(name, registry.load(name), guard)

    for name in names:
        guard = Guard(f"{registry.group.removeprefix('gustbed.')}/{name}")
        guards.append(guard)
        own = name in OWN[registry.group]
        try:
            plugin = load(name, guard) if own else _within(MAKE_SECONDS, load, name, guard)
        except Exception as error:
            if own:
                raise
            guard.fail(error)
            continue
        if plugin is not None:
            made[name] = Plugged(plugin, guard, own)
            if not own:
                log.info("plug-in %s runs", guard.name)
    return made


def _within(
    seconds: float, load: Callable[[str, Guard], T | None], name: str, guard: Guard
) -> T | None:
    """Call it in a thread of its own. Raises what it raises, and ``TimeoutError`` if it does not
    return: nothing can end it then, but nobody waits for it any longer.
    """
    made: list[T | None] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            made.append(load(name, guard))
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits
            failed.append(error)

    thread = threading.Thread(target=run, name=f"making {guard.name}", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not made:
        raise TimeoutError(f"its factory did not return within {seconds:.0f} s")
    return made[0]
