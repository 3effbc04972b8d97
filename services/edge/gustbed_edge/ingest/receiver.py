"""A batch of what was received becomes checked blocks, each with its place in its stream."""

from collections.abc import Iterable
from typing import NamedTuple

from gustbed_core import topics
from gustbed_core.errors import PayloadError
from gustbed_core.telemetry import Samples
from gustbed_edge.ingest.quarantine import Quarantine
from gustbed_edge.ingest.queue import Received
from gustbed_edge.ingest.reader import BlockReader
from gustbed_edge.ingest.sequence import Arrival, SequenceCounter

SHOWN = 200
"""Characters of a refusal that a turbine's status says."""


class ArrivedBlock(NamedTuple):
    """A block that passed the checks.

    ``row`` is its turbine's place in the site, ``arrived`` when it came (seconds of a monotonic
    clock), ``place`` where it belongs in the turbine's stream: one that is ``Arrival.STALE`` has
    come before or comes too late.
    """

    row: int
    samples: Samples
    arrived: float
    place: Arrival


class BlockReceiver:
    """Reads, counts and quarantines. Used by one thread; counters may be read by others."""

    def __init__(self, reader: BlockReader, quarantine: Quarantine) -> None:
        self.counters = tuple(SequenceCounter() for _ in reader.rows)
        """Of each turbine's blocks."""
        self.refused = [""] * len(reader.rows)
        """Why each turbine's newest block was refused; empty where it was not."""
        self.reader = reader
        self._quarantine = quarantine

    def take(self, batch: Iterable[Received]) -> list[ArrivedBlock]:
        """The blocks of a batch, in order of arrival. What is refused goes to quarantine."""
        blocks = []
        for source, content, arrived in batch:
            try:
                if isinstance(content, bytes):
                    samples = self.reader.read(source, content)
                else:
                    samples = self.reader.accept(content)
            except PayloadError as error:
                self._quarantine.reject(source, _payload(content), error)
                self._note(source, content, error)
                continue
            row = self.reader.rows[samples.turbine]
            self.refused[row] = ""
            place = self.counters[row].observe(samples.boot, samples.seq)
            blocks.append(ArrivedBlock(row, samples, arrived, place))
        return blocks

    def _note(self, source: str, content: bytes | Samples, error: PayloadError) -> None:
        turbine = topics.parse(source).turbine if isinstance(content, bytes) else content.turbine
        # What an input gives may be of any type: that was refused.
        row = self.reader.rows.get(str(turbine))
        if row is not None:
            self.refused[row] = str(error)[:SHOWN]


def _payload(content: bytes | Samples) -> bytes:
    """What is kept of something refused, for a person to look at."""
    return content if isinstance(content, bytes) else repr(content).encode()
