"""From rows as somebody wrote them to evenly spaced samples: what is missing is held or cut."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError

_HOUR_S = 3600
_OTHER_RATE = 10
"""So many equal steps in a row are another sample rate rather than gaps."""


@dataclass(frozen=True)
class Rules:
    """``jitter_s``: how far a step may be off a sample's; ``max_gap_s``: rows further apart are
    not joined. Both in s. ``cut_repeated``: rows of one time are all left out.
    """

    rate_hz: float
    max_gap_s: float = 0.0
    jitter_s: float | None = None
    cut_repeated: bool = False


@dataclass(frozen=True)
class Rows:
    """One turbine's rows. ``values`` is (rows, channels), NaN where empty; ``times`` in s."""

    values: NDArray[np.float64]
    labels: NDArray[np.float64]
    times: NDArray[np.float64] | None
    numbers: NDArray[np.int64]
    """The row of the file that each came from."""

    def head(self, count: int) -> "Rows":
        """The first rows."""
        times = None if self.times is None else self.times[:count]
        return Rows(self.values[:count], self.labels[:count], times, self.numbers[:count])


@dataclass(frozen=True)
class Counts:
    """What became of the rows. ``filled`` counts samples that no row gave, ``held`` single values,
    ``cut`` rows left out, ``breaks`` places where the recording does not go on.
    """

    rows: int
    kept: int
    filled: int
    held: int
    cut: int
    breaks: int


@dataclass(frozen=True)
class Resampled:
    """Samples with their times (s from the first row), evenly spaced but for the breaks.

    ``samples_before`` gives, by number of rows, how many samples these became.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    labels: NDArray[np.float64]
    samples_before: NDArray[np.int64]
    counts: Counts


class ResamplingError(GustbedError):
    """Rows that cannot become samples: ``row`` is the file's, ``channel`` an index or None."""

    def __init__(self, row: int, what: str, remedy: str, channel: int | None = None) -> None:
        super().__init__(what, remedy)
        self.row = row
        self.channel = channel


def resample(rows: Rows, rules: Rules) -> Resampled:
    """Hold or cut what is missing. Raises ``UnevenError`` for what a map does not allow."""
    values, bad = _hold(rows, rules)
    repeated = _repeated(rows, rules)
    bad |= repeated
    kept = np.flatnonzero(~bad)
    if not len(kept):
        raise ResamplingError(
            int(rows.numbers[0]), "no row has a value in every column", "check the map"
        )
    steps = _steps(rows, rules, repeated)
    # Steps between kept rows: whatever lies between them was cut.
    gaps = np.add.reduceat(np.append(steps, 1), kept)[:-1] if len(kept) > 1 else steps[:0]
    adjacent = np.diff(kept) == 1
    joined = (gaps == 1) | (adjacent & (gaps / rules.rate_hz <= rules.max_gap_s + 1e-9))
    repeats = np.append(np.where(joined, gaps, 1), 1).astype(np.int64)
    # What is not joined is two samples apart at least, so that a reader sees the break.
    first = np.concatenate(([0], np.cumsum(gaps)))
    index = np.repeat(np.arange(len(kept)), repeats)
    within = np.arange(len(index)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    of_row = np.zeros(len(bad), dtype=np.int64)
    of_row[kept] = repeats
    counts = Counts(
        rows=len(bad),
        kept=len(kept),
        filled=int(repeats.sum()) - len(kept),
        held=int((np.isnan(rows.values) & ~np.isnan(values) & ~bad[:, None]).sum()),
        cut=int(bad.sum()),
        breaks=int((~joined).sum()),
    )
    return Resampled(
        (first[index] + within) / rules.rate_hz,
        values[kept][index],
        rows.labels[kept][index],
        np.concatenate(([0], np.cumsum(of_row))),
        counts,
    )


def _hold(rows: Rows, rules: Rules) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values with short runs of NaN held, and which rows still lack one."""
    values = rows.values.copy()
    empty = np.isnan(values)
    if not empty.any():
        return values, np.zeros(len(values), dtype=bool)
    if rules.max_gap_s <= 0:
        row, channel = (int(i) for i in np.argwhere(empty)[0])
        raise ResamplingError(
            int(rows.numbers[row]),
            "empty or not finite",
            "mend or remove the row, or let max_gap_s in the map say how long a gap may be held",
            channel,
        )
    longest = int(rules.max_gap_s * rules.rate_hz + 1e-9) - 1
    index = np.arange(len(values))
    for channel in np.flatnonzero(empty.any(axis=0)).tolist():
        filled = ~empty[:, channel]
        last = np.maximum.accumulate(np.where(filled, index, -1))
        following = np.minimum.accumulate(np.where(filled, index, len(values))[::-1])[::-1]
        run = following - last - 1
        hold = ~filled & (last >= 0) & (run <= longest)
        values[hold, channel] = values[last[hold], channel]
    lacking: NDArray[np.bool_] = np.asarray(np.isnan(values).any(axis=1))
    return values, lacking


def _repeated(rows: Rows, rules: Rules) -> NDArray[np.bool_]:
    """Which rows share their time with a neighbour, where these are to be cut."""
    repeated = np.zeros(len(rows.values), dtype=bool)
    if rules.cut_repeated and rows.times is not None:
        same = np.diff(rows.times) == 0
        repeated[1:] |= same
        repeated[:-1] |= same
    return repeated


def _steps(rows: Rows, rules: Rules, repeated: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Samples from each row to the next; 1 is the usual."""
    if rows.times is None or len(rows.times) < 2:
        return np.ones(max(len(rows.values) - 1, 0), dtype=np.int64)
    period = 1 / rules.rate_hz
    steps = np.diff(rows.times)
    allowed = rules.jitter_s if rules.jitter_s is not None else 0.5 * period * (1 - 1e-6)
    regular = np.abs(steps - period) <= allowed + 1e-9
    _check_rate(rows, steps, regular, rules)
    same = (steps == 0) & repeated[1:]
    early = np.flatnonzero(~regular & (steps < period) & ~same)
    if len(early):
        step, row = float(steps[early[0]]), int(rows.numbers[early[0] + 1])
        if abs(step - (period - _HOUR_S)) <= min(allowed, 0.1 * period) + 1e-9:
            what = f"time goes back by {-step:g} s" if step < 0 else "the same time as before"
            raise ResamplingError(
                row,
                f"{what}, as local time does at the end of daylight saving",
                "name the zone in the map's time (zone: Europe/Berlin); do not sort the rows",
            )
        if step < 0:
            raise ResamplingError(
                row, f"time goes back by {-step:g} s", "put the rows in order of time"
            )
        if step == 0:
            raise ResamplingError(
                row,
                "the same time as the row before",
                "remove one of the two, or let repeated: cut in the map leave out both",
            )
        raise ResamplingError(
            row,
            f"{step:g} s after the row before, where the map says {period:g} s",
            "if times are that coarse, let jitter_s in the map's time say so",
        )
    counted: NDArray[np.int64] = np.where(regular, 1, np.round(steps / period)).astype(np.int64)
    return np.where(same, 0, np.maximum(counted, np.where(regular, 1, 2)))


def _check_rate(
    rows: Rows, steps: NDArray[np.float64], regular: NDArray[np.bool_], rules: Rules
) -> None:
    period = 1 / rules.rate_hz
    remedy = "set sample_rate_hz of the map to what it is, or resample the file"
    usual = float(np.median(steps))
    if 2 * regular.sum() >= len(steps):
        usual = float(steps[regular].mean())
    if usual > 0 and not 0.9 < usual / period < 1.1:
        raise ResamplingError(
            int(rows.numbers[0]),
            f"sampled every {usual:g} s, where the map says every {period:g} s",
            remedy,
        )
    same = ~regular[1:] & ~regular[:-1] & (np.abs(np.diff(steps)) <= 0.1 * np.abs(steps[1:]))
    start = _run_start(same, _OTHER_RATE - 1)
    if start is not None and steps[start] > 0:
        raise ResamplingError(
            int(rows.numbers[start]),
            f"sampled every {steps[start]:g} s from here, where the map says every {period:g} s",
            remedy,
        )


def _run_start(flags: NDArray[np.bool_], length: int) -> int | None:
    """Where the first run of so many begins."""
    if len(flags) < length:
        return None
    runs = np.convolve(flags.astype(np.int64), np.ones(length, dtype=np.int64), "valid")
    found: Sequence[int] = np.flatnonzero(runs == length).tolist()
    return found[0] if found else None
