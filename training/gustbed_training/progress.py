"""How long work reports its progress: one line at a time, to whoever asked for it."""

from collections.abc import Callable

Log = Callable[[str], None]
"""Takes one line of progress."""
