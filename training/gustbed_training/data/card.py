"""A dataset's card, ``dataset.json``: what the twin, an import or the lake records of a folder."""

from pathlib import Path
from typing import Any

import msgspec

from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import EventKind
from gustbed_core.settings import turbine_id
from gustbed_core.signals import Schema
from gustbed_core.type_file import schema_from_json
from gustbed_training.data.labels import Injection, LabelRules
from gustbed_training.data.types import find_type

CARD = "dataset.json"
VERSION = 1
DEFAULT_TYPE = "mini"
"""What recordings are of where neither they nor a card name a type."""


class SplitRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of a dataset may be learnt from, if its card says so.

    ``fit``: the first samples of each recording, of all or by its name. ``test_turbines``: these
    turbines are for tests alone. ``by_stretch``: whole stretches, in order of time over all
    turbines.
    """

    fit: int | dict[str, int] | None = None
    test_turbines: tuple[str, ...] = ()
    by_stretch: bool = False

    def fit_of(self, recording: str) -> int | None:
        """How many samples of a recording may be learnt from; None leaves it to the time."""
        return self.fit.get(recording) if isinstance(self.fit, dict) else self.fit


class InjectedFault(msgspec.Struct, frozen=True):
    """A fault as the twin's cards list it, from ``start`` in s; older ones have ``at`` for it, and
    may number their turbines.
    """

    turbine: int | str = 0
    start: float | None = None
    at: float = 0.0
    kind: str = ""
    severity: float = 0.0
    signal: str = ""

    def injection(self) -> Injection:
        """As labels need it."""
        turbine = turbine_id(self.turbine) if isinstance(self.turbine, int) else self.turbine
        start = self.at if self.start is None else self.start
        return Injection(self.kind, turbine, start, self.signal)


class Card(msgspec.Struct, frozen=True):
    """What we read of a card; it says more, for people. ``detection`` is a whole schema."""

    schema: int = VERSION
    type: str = DEFAULT_TYPE
    faults: tuple[InjectedFault, ...] = ()
    signals: dict[str, tuple[str, ...]] = {}
    violations: dict[str, EventKind] = {}
    split: SplitRule = SplitRule()
    detection: dict[str, Any] | None = None

    def turbine_schema(self, where: str) -> Schema:
        """The schema that the card holds, or that of its type."""
        if self.detection is not None:
            return schema_from_json(self.detection, where)
        return find_type(self.type).schema

    def rules(self) -> LabelRules:
        """What labels mean."""
        signals = (each for each in self.faults if each.signal and each.severity > 0)
        injections = [each.injection() for each in signals]
        return LabelRules(self.signals, self.violations, injections)


def read_card(folder: Path) -> Card | None:
    """The card of a folder, if there is one. Raises ``GustbedError`` for one that is broken."""
    raw = _raw(folder)
    if raw is None:
        return None
    try:
        card = msgspec.json.decode(raw, type=Card)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise GustbedError(f"{folder / CARD}: {error}", "make the dataset again") from error
    if card.schema != VERSION:
        raise GustbedError(f"{folder / CARD}: schema {card.schema}, not {VERSION}")
    return card


def card_fields(folder: Path) -> dict[str, Any]:
    """All that the card says, for people; nothing if there is none."""
    raw = _raw(folder)
    fields: dict[str, Any] = {} if raw is None else msgspec.json.decode(raw)
    return fields


def _raw(folder: Path) -> bytes | None:
    path = folder / CARD
    if not path.is_file():
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "check the file") from error
