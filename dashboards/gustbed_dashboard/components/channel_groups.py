"""Which channels belong together: families to choose from, and the charts of each family.

Nothing is known of a new turbine type but its channels' names, so names decide.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gustbed_dashboard import labels

K = TypeVar("K", bound=Hashable)

LINES = 6
"""At most this many lines a chart: more cannot be told apart."""

_FAMILIES: tuple[tuple[str, str], ...] = (
    ("Temperatures", r"temp|thermo|degc"),
    ("Vibration", r"accel|vibra|gyro|shock"),
    ("Electrical", r"volt|current|power|amp(s|ere)|frequency|\bcos|energy"),
    ("Wind", r"wind(?!ing|ed|ow)|anemo|gust"),
    ("Rotor and drive", r"rotor|generator|speed|rpm|rps|torque|gearbox|shaft"),
    ("Pitch and yaw", r"pitch|yaw|nacelle|direction|angle|blade|(?<![a-z])roll"),
    ("Other", ""),
)
"""By the first that matches: a generator's bearing temperature is a temperature."""
ORDER: tuple[str, ...] = (
    "Wind",
    "Rotor and drive",
    "Pitch and yaw",
    "Electrical",
    "Vibration",
    "Temperatures",
    "Other",
)
_TEMPERATURES = "Temperatures"


@dataclass(frozen=True, slots=True)
class Group:
    """Channels that share a chart."""

    title: str
    unit: str
    channels: tuple[str, ...]


def family(name: str) -> str:
    """The family of a channel or feature."""
    return next(title for title, pattern in _FAMILIES if re.search(pattern, name.lower()))


def families(names: Iterable[str]) -> dict[str, list[str]]:
    """Channels by family, families in the order of ``ORDER``, channels as they come."""
    known = _gather(names, family)
    return {title: known[title] for title in ORDER if title in known}


def groups(names: Sequence[str], kind: str) -> list[Group]:
    """The charts of one family's channels.

    Channels share a chart if they share unit and first word: what differs in either differs in
    scale. Single temperatures share one too.
    """
    found: list[Group] = []
    left: list[str] = []
    for (symbol, first), members in _gather(
        names, lambda name: (labels.unit(name, kind), _first_word(name))
    ).items():
        if len(members) == 1 and family(members[0]) == _TEMPERATURES:
            left += members
            continue
        title = labels.label(members[0], kind) if len(members) == 1 else _title(members, first)
        found += _charts(title, symbol, members)
    if left:
        title = "Other temperatures" if found else "Temperatures"
        title = labels.label(left[0], kind) if len(left) == 1 else title
        found += _charts(title, labels.unit(left[0], kind), left)
    return found


def short_labels(names: Sequence[str], kind: str) -> list[str]:
    """Labels without the words that all names begin or end with, for a legend under a title."""
    words = [re.split(r"[\s_]+", name) for name in names]
    if len(names) > 1:
        first, last = _shared(words), _shared([list(reversed(split)) for split in words])
        shortest = min(len(split) for split in words)
        first = min(first, shortest - 1)
        last = min(last, shortest - 1 - first)
        words = [split[first : len(split) - last] for split in words]
        short = [labels.label("_".join(split)) for split in words]
        if len(set(short)) == len(short):
            return short
    return [labels.label(name, kind) for name in names]


def _shared(words: Sequence[Sequence[str]]) -> int:
    """How many words all lists begin with."""
    count = 0
    for place in zip(*words, strict=False):
        if len(set(place)) > 1:
            break
        count += 1
    return count


def _charts(title: str, symbol: str, members: Sequence[str]) -> list[Group]:
    parts = (members[i : i + LINES] for i in range(0, len(members), LINES))
    return [Group(title, symbol, tuple(part)) for part in parts]


def _title(members: Sequence[str], first: str) -> str:
    """The words that all members begin with; of temperatures, their first word and that."""
    if all(family(name) == _TEMPERATURES for name in members):
        return f"{first.capitalize()} temperatures"
    split = [re.split(r"[\s_]+", name) for name in members]
    common = [words[0] for words in zip(*split, strict=False) if len(set(words)) == 1]
    return labels.label("_".join(common) or first)


def _first_word(name: str) -> str:
    match = re.search(r"[^\W\d_]+", name)
    return match.group().lower() if match else name


def _gather(names: Iterable[str], key: Callable[[str], K]) -> dict[K, list[str]]:
    found: dict[K, list[str]] = {}
    for name in names:
        found.setdefault(key(name), []).append(name)
    return found
