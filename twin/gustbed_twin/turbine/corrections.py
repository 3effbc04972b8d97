"""What a type's file says of its sensors' own errors: ``corrections`` of its ``physics``."""

from collections.abc import Iterable, Mapping

import msgspec

from gustbed_core.turbine_types import Positive

Rule = tuple[bool, str, str]
"""Whether it is kept, the key that it is about, what to do."""


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sensor reads ``gain`` times the truth plus ``offset``, which is in the channel's unit."""

    gain: Positive = 1.0
    offset: float = 0.0


EXACT = Correction()
"""A sensor that reads the truth."""


def correction_rules(
    corrections: Mapping[str, Correction], known: Iterable[str], counted: Iterable[str] = ()
) -> list[Rule]:
    """Rules for each: its channel is one of ``known``, and what is ``counted`` has no offset."""
    names, whole = list(known), set(counted)
    rules: list[Rule] = []
    for name, each in corrections.items():
        key = f"physics.corrections.{name}"
        rules.append((name in names, f"{key}: cannot be corrected", f"one of {', '.join(names)}"))
        rules.append((
            name not in whole or each.offset == 0.0, f"{key}.offset",
            "leave it out: what is counted has a gain only",
        ))  # fmt: skip
    return rules
