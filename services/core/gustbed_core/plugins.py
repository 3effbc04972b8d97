"""Plug-ins: objects that installed packages offer under an entry-point group.

Gustbed's own packages register theirs the same way, so that a user's package needs no fork.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from gustbed_core.errors import GustbedError

T = TypeVar("T")
Find = Callable[[str], Iterable[EntryPoint]]


def _installed(group: str) -> Iterable[EntryPoint]:
    return entry_points(group=group)


@dataclass(frozen=True)
class Registry(Generic[T]):
    """The plug-ins of one entry-point group, such as ``gustbed.inputs``.

    The type is a promise of the group's documentation; what is loaded is checked by its user.
    """

    group: str
    find: Find = field(default=_installed, repr=False)

    def names(self) -> tuple[str, ...]:
        """What is installed, sorted."""
        return tuple(sorted({point.name for point in self.find(self.group)}))

    def load(self, name: str) -> T:
        """Import one plug-in. Raises ``GustbedError`` that names the package to blame."""
        found = [point for point in self.find(self.group) if point.name == name]
        if not found:
            known = ", ".join(self.names()) or "none"
            raise GustbedError(f"no {self.group} plug-in {name!r}", f"installed: {known}")
        if len({point.value for point in found}) > 1:
            givers = ", ".join(sorted({_giver(point) for point in found}))
            raise GustbedError(
                f"{self.group} plug-in {name!r} comes from {givers}", "remove one of them"
            )
        try:
            loaded: T = found[0].load()
        except Exception as error:
            raise GustbedError(
                f"{self.group} plug-in {name!r} of {_giver(found[0])}: {error}",
                "mend or remove that package",
            ) from error
        return loaded

    def all(self) -> dict[str, T]:
        """Every plug-in by name. Raises as ``load`` does."""
        return {name: self.load(name) for name in self.names()}


def _giver(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value
