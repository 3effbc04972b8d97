"""Which signals belong together: families to choose from, and the charts of each family.

The type's file says it of its channels. Of what it leaves out, and of a type without a file,
nothing is known but names, so names decide.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard import labels

K = TypeVar("K", bound=Hashable)

LINES = 6
"""At most this many lines a chart: more cannot be told apart."""
OTHER = "Other"

_FAMILIES: tuple[tuple[str, str], ...] = (
    ("Temperatures", r"temp|thermo|degc"),
    ("Vibration", r"accel|vibra|gyro|shock"),
    ("Electrical", r"volt|current|power|amp(s|ere)|frequency|\bcos|energy"),
    ("Wind", r"wind(?!ing|ed|ow)|anemo|gust"),
    ("Rotor and drive", r"rotor|generator|speed|rpm|rps|torque|gearbox|shaft"),
    ("Pitch and yaw", r"pitch|yaw|nacelle|direction|angle|blade|(?<![a-z])roll"),
    (OTHER, ""),
)
"""By the first that matches: a generator's bearing temperature is a temperature."""
ORDER: tuple[str, ...] = (
    "Wind",
    "Rotor and drive",
    "Pitch and yaw",
    "Electrical",
    "Vibration",
    "Temperatures",
    OTHER,
)
_TEMPERATURES = "Temperatures"


@dataclass(frozen=True, slots=True)
class Chart:
    """Signals that share a chart."""

    title: str
    unit: str
    signals: tuple[str, ...]


def family(name: str) -> str:
    """The family of a signal, by its name."""
    return next(title for title, pattern in _FAMILIES if re.search(pattern, name.lower()))


def families(names: Sequence[str], turbine_type: TurbineType) -> dict[str, list[str]]:
    """Signals by family: the type's groups in their order, and what they leave out by name.

    A feature or aggregate whose name tells nothing goes where its first channel is.
    """
    grouped = {name: group.title for group in turbine_type.groups for name in group.channels}
    made_of = {
        **{feature.name: feature.channels[0] for feature in turbine_type.schema.features},
        **{each.name: each.of[0] for each in turbine_type.aggregates},
    }

    def title(name: str) -> str:
        by_name = grouped.get(name) or family(name)
        return grouped.get(made_of.get(name, ""), OTHER) if by_name == OTHER else by_name

    found = _gather(names, title)
    order = dict.fromkeys([*(group.title for group in turbine_type.groups), *ORDER])
    order[OTHER] = order.pop(OTHER)
    return {title: found[title] for title in order if title in found}


def charts(names: Sequence[str], turbine_type: TurbineType) -> list[Chart]:
    """The charts of one family's signals.

    Signals share a chart if they are features of the same channels, or if they share unit and
    first word: what differs in either differs in scale. Single temperatures share one too.
    """
    made_of = {
        feature.name: feature.channels
        for feature in turbine_type.schema.features
        if feature.op != "value"
    }
    found: list[Chart] = []
    left: list[str] = []
    for (symbol, first), members in _gather(
        names,
        lambda name: (labels.unit(name, turbine_type), made_of.get(name) or _first_word(name)),
    ).items():
        if len(members) == 1 and family(members[0]) == _TEMPERATURES:
            left += members
            continue
        if isinstance(first, tuple):
            title = labels.capitalized(", ".join(labels.phrase(n, turbine_type) for n in members))
        elif len(members) == 1:
            title = labels.label(members[0], turbine_type)
        else:
            title = _title(members, first)
        found += _charts(title, symbol, members)
    if left:
        title = "Other temperatures" if found else "Temperatures"
        title = labels.label(left[0], turbine_type) if len(left) == 1 else title
        found += _charts(title, labels.unit(left[0], turbine_type), left)
    return found


def short_labels(names: Sequence[str], turbine_type: TurbineType) -> list[str]:
    """Labels without the words that all names begin or end with, for a legend under a title."""
    words = [labels.phrase(name, turbine_type).split() for name in names]
    if len(names) > 1:
        first, last = _shared(words), _shared([list(reversed(split)) for split in words])
        shortest = min(len(split) for split in words)
        first = min(first, shortest - 1)
        last = min(last, shortest - 1 - first)
        short = [labels.capitalized(" ".join(w[first : len(w) - last])) for w in words]
        if len(set(short)) == len(short):
            return short
    return [labels.label(name, turbine_type) for name in names]


def _shared(words: Sequence[Sequence[str]]) -> int:
    """How many words all lists begin with."""
    count = 0
    for place in zip(*words, strict=False):
        if len(set(place)) > 1:
            break
        count += 1
    return count


def _charts(title: str, symbol: str, members: Sequence[str]) -> list[Chart]:
    parts = (members[i : i + LINES] for i in range(0, len(members), LINES))
    return [Chart(title, symbol, tuple(part)) for part in parts]


def _title(members: Sequence[str], first: str) -> str:
    """The words that all members begin with; of temperatures, their first word and that."""
    if all(family(name) == _TEMPERATURES for name in members):
        return f"{first.capitalize()} temperatures"
    split = [re.split(r"[\s_]+", name) for name in members]
    return labels.label("_".join(split[0][: _shared(split)]) or first)


def _first_word(name: str) -> str:
    match = re.search(r"[^\W\d_]+", name)
    return match.group().lower() if match else name


def _gather(names: Iterable[str], key: Callable[[str], K]) -> dict[K, list[str]]:
    found: dict[K, list[str]] = {}
    for name in names:
        found.setdefault(key(name), []).append(name)
    return found
