"""What is known of one turbine's commissioning, and lasts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from gustbed_core.commissioning.messages import CorrectionInfo

KEPT = 4
"""Corrections of a turbine that are kept, the one at work among them; and models it doubts."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A correction on disk. ``model`` is the fingerprint of the model that it belongs to."""

    turbine_type: str
    model: str
    info: CorrectionInfo
    data: bytes


@dataclass(frozen=True, slots=True)
class Run:
    """A period under way. ``started`` is Unix seconds; ``span`` seconds per verdict.

    ``again``: nobody asked for it, a new model did. ``provisional``: nor did that; it is of a
    turbine that is not commissioned.
    """

    turbine_type: str
    model: str
    hours: float
    wanted: int
    started: float
    span: float
    accept: bool
    again: bool = False
    provisional: bool = False
    id: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True, slots=True)
class Record:
    """A turbine's. Replaced, never changed.

    ``made`` counts its corrections so far. ``trusted`` is the fingerprint of the model whose own
    judgement was calm on it, ``doubt`` the seconds of alarm since that speak against it;
    ``doubted`` are models that were trusted and are so no more. ``redo`` is the length in hours of
    the period that an operator once accepted, and a new model starts anew; 0 where there is none.
    ``given_up`` is the model whose period of that kind ended without a result. ``kept`` has the
    newest last. ``learnt`` is what it told of itself unasked.
    """

    turbine: str
    made: int = 0
    trusted: str = ""
    doubt: float = 0.0
    doubted: tuple[str, ...] = ()
    redo: float = 0.0
    given_up: str = ""
    kept: tuple[Kept, ...] = ()
    learnt: Kept | None = None
    waiting: Kept | None = None
    run: Run | None = None
    refused: str = ""
    note: str = ""

    @property
    def declared(self) -> Run | None:
        """The run that somebody, or a new model, asked for."""
        return self.run if self.run is not None and not self.run.provisional else None

    @property
    def unasked(self) -> Run | None:
        """The run that nobody asked for."""
        return self.run if self.run is not None and self.run.provisional else None

    def at_work(self, model: str) -> Kept | None:
        """The correction for a model: the newest that belongs to it."""
        return next((each for each in reversed(self.kept) if each.model == model), None)

    def trusting(self, model: str) -> "Record":
        """With a model whose own judgement counts."""
        return self if self.trusted == model else replace(self, trusted=model, doubt=0.0)

    def doubting(self, model: str) -> "Record":
        """With a model whose own judgement counts no more."""
        doubted = *(each for each in self.doubted if each != model), model
        return replace(self, trusted="", doubt=0.0, doubted=doubted[-KEPT:])

    def accepted(self, kept: Kept) -> "Record":
        """With a correction at work."""
        return replace(
            self,
            kept=(*self.kept, kept)[-KEPT:],
            learnt=None,
            waiting=None,
            redo=kept.info.hours,
            refused="",
            note="",
        )

    def undone(self, model: str) -> "Record":
        """Without the correction that is at work for a model."""
        last = self.at_work(model)
        kept = tuple(each for each in self.kept if each is not last)
        before = next((each for each in reversed(kept) if each.model == model), None)
        return replace(self, kept=kept, redo=before.info.hours if before else 0.0, note="")


class Records:
    """The records of all turbines by row, and which of them are not on disk yet."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = list(records)
        self._unsaved: set[int] = set()

    def __getitem__(self, row: int) -> Record:
        return self._records[row]

    def __len__(self) -> int:
        return len(self._records)

    def put(self, row: int, record: Record) -> None:
        """Replace a turbine's."""
        if record != self._records[row]:
            self._records[row] = record
            self._unsaved.add(row)

    def change(self, row: int, **changes: Any) -> None:
        """Replace some fields of a turbine's."""
        self.put(row, replace(self._records[row], **changes))

    def unsaved(self) -> frozenset[int]:
        """Rows of records that are not on disk as they are now."""
        return frozenset(self._unsaved)

    def save(self, write: Callable[[Record], bool]) -> None:
        """Write what has changed; what cannot be written stays for the next time.

        Where one fails, the others would only say the same.
        """
        for row in sorted(self._unsaved):
            if not write(self._records[row]):
                return
            self._unsaved.discard(row)
