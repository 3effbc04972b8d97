"""Ten-minute means of a turbine, as an operator's SCADA system exports them, from CSV."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_twin.filters import Floats
from gustbed_twin.records import Integers

QUANTITIES = ("wind_speed", "active_power", "rotor_speed")
"""What a column may be: m/s, kW, rpm. The last may be left out."""
A_DAY = 144
_PRODUCING, _APART, _SLACK = 0.005, 5.0, 0.02
"""Shares of the highest power, and median deviations, within which a row counts as running."""
_BIN_MS = 0.5


@dataclass(frozen=True, slots=True)
class TenMinutes:
    """Whole days: ``wind`` (144, days), ``values`` and ``known`` (channels, 144, days).

    ``known`` says where the machine ran undisturbed and the value is there.
    """

    channels: tuple[str, ...]
    wind: Floats
    values: Floats
    known: NDArray[np.bool_]

    def some(self, days: Integers) -> "TenMinutes":
        """Those days of them."""
        return TenMinutes(
            self.channels, self.wind[:, days], self.values[:, :, days], self.known[:, :, days]
        )


def parse_columns(given: list[str]) -> dict[str, str]:
    """Read ``wind_speed=NAME`` and so on. Raises ``GustbedError`` naming what is wrong."""
    columns: dict[str, str] = {}
    for text in given:
        quantity, _, name = text.partition("=")
        if quantity not in QUANTITIES or not name:
            raise GustbedError(
                f"--column {text!r}",
                f"write QUANTITY=NAME, QUANTITY one of {', '.join(QUANTITIES)}",
            )
        columns[quantity] = name
    missing = next((name for name in QUANTITIES[:2] if columns and name not in columns), None)
    if missing is not None:
        raise GustbedError("--column", f"give {missing}=NAME too")
    return columns


def read_ten_minutes(paths: list[Path], columns: dict[str, str]) -> TenMinutes:
    """Read files, one row every ten minutes, in order. Raises ``GustbedError`` naming the file."""
    names = [name for name in QUANTITIES if name in columns]
    rows = np.concatenate([_read(path, [columns[name] for name in names]) for path in paths])
    days = len(rows) // A_DAY
    whole = rows[: days * A_DAY].reshape(days, A_DAY, len(names)).transpose(2, 1, 0)
    wind, values = whole[0], whole[1:]
    running = _running(wind, values[0])
    known = running & np.isfinite(values)
    return TenMinutes(
        tuple(names[1:]), np.where(np.isfinite(wind), wind, 0.0), np.nan_to_num(values), known
    )


def _read(path: Path, names: list[str]) -> Floats:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            header = [name.strip() for name in next(reader, [])]
            missing = next((name for name in names if name not in header), None)
            if missing is not None:
                raise GustbedError(
                    f"{path}: no column {missing!r}", f"one of {', '.join(header)[:120]}"
                )
            places = [header.index(name) for name in names]
            return np.array(
                [
                    [_number(path, reader.line_num, row, at) for at in places]
                    for row in reader
                    if row
                ]
            ).reshape(-1, len(names))
    except OSError as error:
        raise GustbedError(f"--data {path}: {error.strerror}", "name a CSV file") from error
    except UnicodeDecodeError as error:
        raise GustbedError(f"{path}: not text: {error.reason}", "give a CSV file") from error


def _number(path: Path, line: int, row: list[str], at: int) -> float:
    """What stands there; nothing, or no number at all, is not known."""
    if at >= len(row):
        raise GustbedError(f"{path}: line {line}: {len(row)} fields", "mend the line")
    text = row[at].strip()
    if text.lower() in ("", "nan", "null", "na"):
        return np.nan
    try:
        return float(text)
    except ValueError as error:
        raise GustbedError(
            f"{path}: line {line}: {text[:40]!r} is not a number",
            "mend the line, or leave it empty",
        ) from error


def _running(wind: Floats, power: Floats) -> NDArray[np.bool_]:
    """Where the machine produced as it mostly does in that wind: no stops, no curtailment."""
    there = np.isfinite(wind) & np.isfinite(power)
    if not there.any():
        raise GustbedError("--data: no row with wind and power", "see --column")
    highest = float(np.percentile(power[there], 99.5))
    running: NDArray[np.bool_] = there & (power > _PRODUCING * highest)
    place = np.where(there, wind / _BIN_MS, 0.0).astype(np.int64)
    for number in np.unique(place[running]):
        inside = running & (place == number)
        middle = np.median(power[inside])
        spread = 1.4826 * np.median(np.abs(power[inside] - middle)) + _SLACK * highest
        running &= ~inside | (np.abs(power - middle) <= _APART * spread)
    return running
