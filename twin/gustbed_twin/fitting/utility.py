"""What a variable-speed machine's recordings say, second by second, and the air that it ran in."""

from dataclasses import dataclass

import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_twin.filters import Floats
from gustbed_twin.fitting.recorded import Recorded
from gustbed_twin.records import RUNNING, SITE_SAMPLE, Records
from gustbed_twin.turbine.variable_speed import VariableSpeedType

MINUTE_S, BURN_IN_MINUTES = 60, 2
"""The twin forgets how it began within the burn-in."""
FOLLOWED = ("active_power", "rotor_speed", "pitch")
_NEEDED = ("wind_speed", "ambient", "generator_speed", "mode", "voltage", *FOLLOWED)


@dataclass(frozen=True, slots=True)
class Run:
    """A recording: ``air`` as the twin takes it, by sample; ``means`` of quantities by second."""

    air: Records
    means: dict[str, Floats]

    @property
    def seconds(self) -> int:
        """How long it is, in whole minutes."""
        return len(self.means["ambient"])


def read_run(recorded: Recorded, kind: VariableSpeedType) -> Run:
    """Take a recording apart. Raises ``GustbedError`` if it lacks a thing or the machine stops."""
    rate = kind.rate_hz
    if round(recorded.rate_hz) != rate:
        raise GustbedError(f"{recorded.path}: {recorded.rate_hz:g} Hz", f"give one of {rate} Hz")
    minutes = recorded.values.shape[1] // (MINUTE_S * rate)
    if minutes <= BURN_IN_MINUTES:
        raise GustbedError(f"{recorded.path}: {minutes} min", "give a longer recording")
    values = recorded.values[:, : minutes * MINUTE_S * rate]
    rows = _rows_of(kind)
    for name in _NEEDED:
        if name not in rows:
            raise GustbedError(f"type {kind.name} measures no {name}", "fit a type that does")
    if not (values[rows["mode"]] == RUNNING).all():
        raise GustbedError(
            f"{recorded.path}: the machine does not run all the time", "cut out where it stands"
        )
    seconds = values.reshape(len(values), -1, rate)
    means = {name: seconds[row].mean(axis=(0, 2)) for name, row in rows.items()}
    return Run(_air(values, rows), means)


def _rows_of(kind: VariableSpeedType) -> dict[str, list[int]]:
    """By quantity the channels that measure it."""
    found: dict[str, list[int]] = {}
    for number, channel in enumerate(kind.channels):
        found.setdefault(channel.of, []).append(number)
    return found


def _air(values: Floats, rows: dict[str, list[int]]) -> Records:
    """The measured wind along the rotor's axis: by how far the nacelle is from the wind."""
    air = np.zeros(values.shape[1], SITE_SAMPLE)
    wind = values[rows["wind_speed"]].mean(axis=0)
    if "vane" in rows:
        wind = wind * np.cos(np.radians(values[rows["vane"]].mean(axis=0)))
    air["mean"] = np.maximum(wind, 0.0)
    air["ambient"] = values[rows["ambient"]].mean(axis=0)
    return air
