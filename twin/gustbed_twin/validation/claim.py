"""A claim about the twin: what it promises, what was measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of the validation table."""

    claim: str
    bound: str
    measured: str
    kept: bool
