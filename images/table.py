"""The table that ``make images`` prints."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MB = 1_000_000


@dataclass(frozen=True)
class Row:
    """One image; ``starts`` are seconds by service, ``size`` is bytes.

    ``words`` are arguments with which it prints something and ends, after so many seconds.
    """

    image: str
    size: int
    user: str
    layers: tuple[str, ...]
    parts: tuple[str, ...]
    starts: Mapping[str, float]
    words: str
    words_seconds: float


def render(rows: Sequence[Row], platform: str) -> str:
    """Lines of text, each image's large parts below it."""
    lines = [f"{'image':<11}{'size':>8}  {'start':<46}{'user':<13}{platform}"]
    for row in rows:
        size = f"{row.size / MB:.0f} MB"
        lines.append(f"{row.image:<11}{size:>8}  {_start(row):<46}{row.user or 'root'}")
        lines += [f"{'':<11}{'':>8}    {part}" for part in row.parts]
    shared = Counter(layer for row in rows for layer in set(row.layers))
    common = sum(1 for users in shared.values() if users == len(rows))
    if len(rows) > 1:
        lines.append(f"{common} of their layers are the same in all {len(rows)}, and stored once")
    return "\n".join(lines)


def _start(row: Row) -> str:
    """Until it first worked in a fleet where that was measured, and until its usage was printed."""
    until = [f"{service} {seconds:.1f} s" for service, seconds in row.starts.items()]
    return ", ".join([*until, f"{row.words} {row.words_seconds:.1f} s"])
