"""Tables for people, JSON for programs, progress on stderr."""

import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_err = Console(stderr=True, highlight=False)
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def report(text: str) -> None:
    """One line of progress, on stderr."""
    _err.print(f"[dim]{time.strftime('%H:%M:%S')}[/dim] {text}", soft_wrap=True)


def emit_json(value: object) -> None:
    """One JSON document on one line."""
    sys.stdout.write(msgspec.json.encode(value).decode("utf-8") + "\n")
    sys.stdout.flush()


def table(title: str, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; says so when it is empty."""
    grid = Table(header_style="bold", box=None, pad_edge=False)
    for header in headers:
        grid.add_column(header, overflow="fold")
    count = 0
    for row in rows:
        grid.add_row(*("–" if cell is None else escape(str(cell)) for cell in row))
        count += 1
    # Not as the table's title, which is folded to the table's width, in the middle of a sentence.
    _out.print(f"[italic]{escape(title)}[/italic]", soft_wrap=True)
    _out.print(grid)
    if count == 0:
        _out.print("[dim](none)[/dim]")


def clock(seconds: float | None) -> str | None:
    """A Unix time with its date, in UTC, which the heading says."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
