"""What the compact detector sees of a window: block means, roughness and spread.

A window is cut into blocks of equal length; the oldest samples that fill no block are left out.
Looking back over a few blocks, and over many, finds faults that have only just begun, and faints
ones that last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

_FEWEST, _MOST, _LENGTH = 8, 20, 10
"""About the fewest and most blocks, and samples per block at least, as the window allows."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How windows are cut: ``blocks`` of ``length`` samples, and what is looked back over."""

    blocks: int
    length: int

    @property
    def levels(self) -> tuple[int, ...]:
        """Newest blocks over which a level is judged."""
        return tuple(sorted({1, 2, max(self.blocks // 4, 1), self.blocks}))

    @property
    def roughs(self) -> tuple[int, ...]:
        """Newest blocks over which roughness is judged."""
        return tuple(sorted({1, min(3, self.blocks), self.blocks}))

    @property
    def spreads(self) -> tuple[int, ...]:
        """Newest blocks over which the blocks' spread is judged."""
        return tuple(sorted({max(self.blocks * 3 // 10, 2), self.blocks}))

    @property
    def condition(self) -> list[range]:
        """Blocks, newest first, whose means tell what drives a feature."""
        newest = [range(self.blocks - i - 1, self.blocks - i) for i in range(min(4, self.blocks))]
        return newest + _parts(self.blocks - len(newest), 3)

    @property
    def past(self) -> list[range]:
        """Blocks that are a feature's own past: what a jump is measured from."""
        last = max(self.blocks - 3, 1)
        newest = [range(last - i - 1, last - i) for i in range(min(2, last))]
        return newest + _parts(last - len(newest), 3)


def layout_for(window: int) -> Layout:
    """Cut a window of so many samples, 2 at least."""
    length = window // min(max(window // _LENGTH, _FEWEST), _MOST, window)
    return Layout(window // length, length)


class Blocks(nn.Module):
    """Windows (n, features, time) to block means (n, features, blocks) and mean absolute
    differences of neighbouring samples over ``roughs`` (n, features, roughs), in their units.

    Differences also serve channels that are held: each new reading counts once.
    """

    def __init__(self, layout: Layout, window: int) -> None:
        super().__init__()
        self.layout = layout
        self.first = window - layout.blocks * layout.length
        differences = window - self.first - 1
        newest = [min(k * layout.length, differences) for k in layout.roughs]
        ranges = [range(differences - count, differences) for count in newest]
        self.newest: Tensor
        self.register_buffer("newest", means(ranges, differences))

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        x = windows[:, :, self.first :]
        cut = x.reshape(-1, x.shape[1], self.layout.blocks, self.layout.length)
        return cut.mean(3), (x[:, :, 1:] - x[:, :, :-1]).abs() @ self.newest


def means(ranges: Sequence[range], length: int) -> Tensor:
    """Matrix (length, ranges) that takes the mean over each range."""
    matrix = torch.zeros(length, len(ranges))
    for column, chosen in enumerate(ranges):
        matrix[chosen.start : chosen.stop, column] = 1 / len(chosen)
    return matrix


def newest(counts: Sequence[int], length: int) -> list[range]:
    """The last so many of ``length``, for each count."""
    return [range(length - count, length) for count in counts]


def _parts(blocks: int, parts: int) -> list[range]:
    """The oldest blocks in parts that grow with age, newest first."""
    if blocks < 1:
        return []
    parts = min(parts, blocks)
    edges = [round(blocks * (1 - i * (i + 3) / (parts * (parts + 3)))) for i in range(parts + 1)]
    return [range(low, high) for high, low in pairwise(edges) if low < high]
