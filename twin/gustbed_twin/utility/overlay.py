"""Faults of sensors, laid over what the sensors read."""

from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from gustbed_twin.filters import Floats
from gustbed_twin.turbine_types import Sensor
from gustbed_twin.utility.step import normal

DRIFT, NOISE, NEW_ZERO, NEW_GAIN = 0.10, 0.05, 0.03, 0.05
"""At severity 1, over the sensor's range; the gain over the reading."""
NOISE_CHANNEL, DROPOUT_CHANNEL = 2_000_003, 3_000_017


@dataclass
class Laid:
    """One fault on one channel; times in samples. ``held`` is where a stuck sensor stuck."""

    position: int
    kind: str
    channel: int
    begin: int
    length: int
    low: float
    high: float
    held: float | None = None

    def at(self, samples: Floats) -> Floats:
        """Severity at sample numbers."""
        share = np.clip((samples - self.begin + 1) / max(self.length, 1), 0.0, 1.0)
        return np.where(samples < self.begin, self.low, self.low + (self.high - self.low) * share)


class SensorFaults:
    """What is laid over a farm's readings. A turbine's faults depend on its own key alone."""

    def __init__(self, sensors: tuple[Sensor, ...], periods: Any, keys: Any) -> None:
        self._sensors = sensors
        self._periods = periods
        self._keys = keys
        self._laid: dict[tuple[int, str, int], Laid] = {}

    def set(
        self, position: int, kind: str, channel: int, severity: float, length: int, now: int
    ) -> None:
        """From sample ``now`` go from wherever it is to ``severity`` in ``length`` samples."""
        key = (position, kind, channel)
        before = self._laid.get(key)
        low = float(before.at(np.array([now - 1.0]))[0]) if before else 0.0
        held = before.held if before else None
        self._laid[key] = Laid(position, kind, channel, now, length, low, severity, held)

    def channels(self, position: int, kind: str) -> list[int]:
        """Channels of a turbine on which a kind of fault lies."""
        return [laid.channel for laid in self._laid.values()
                if laid.position == position and laid.kind == kind]  # fmt: skip

    def severity(self, turbines: int, kind: str, samples: Floats) -> Floats:
        """The strongest severity of a kind: (turbines, samples)."""
        out = np.zeros((turbines, len(samples)))
        for laid in self._laid.values():
            if laid.kind == kind:
                out[laid.position] = np.maximum(out[laid.position], laid.at(samples))
        return out

    def apply(self, values: Floats, first: int) -> None:
        """Bend ``values`` (turbines, channels, samples) in place."""
        samples = np.arange(first, first + values.shape[2], dtype=float)
        for key, laid in list(self._laid.items()):
            severity = laid.at(samples)
            if severity.any():
                self._bend(laid, values[laid.position, laid.channel], severity, samples)
            elif laid.high == 0.0:
                del self._laid[key]

    def dump(self) -> list[dict[str, Any]]:
        """For a checkpoint."""
        return [asdict(laid) for laid in self._laid.values()]

    def restore(self, rows: list[dict[str, Any]]) -> None:
        """From a checkpoint."""
        made = [Laid(**row) for row in rows]
        self._laid = {(laid.position, laid.kind, laid.channel): laid for laid in made}

    def _bend(self, laid: Laid, row: Floats, severity: Floats, samples: Floats) -> None:
        sensor, period = self._sensors[laid.channel], int(self._periods[laid.channel])
        there, span = severity > 0.0, sensor.high - sensor.low
        key = self._keys[laid.position]
        if laid.kind == "sensor_stuck":
            if laid.held is None:
                laid.held = float(row[int(np.argmax(there))])
            row[there] = laid.held
            return
        reads = (samples // period * period).astype(np.int64)
        if laid.kind == "sensor_dropout":
            seconds, where = np.unique(samples // 20, return_inverse=True)
            drawn = np.array([normal(key, int(s), DROPOUT_CHANNEL + laid.channel) for s in seconds])
            chance = np.array([NormalDist().cdf(value) for value in drawn])[where]
            row[there & (chance < severity)] = sensor.low
            return
        if laid.kind == "sensor_drift":
            bent = row + severity * DRIFT * span
        elif laid.kind == "sensor_replaced":
            bent = row * (1.0 + NEW_GAIN * severity) + severity * NEW_ZERO * span
        else:
            times, where = np.unique(reads, return_inverse=True)
            drawn = np.array([normal(key, int(t), NOISE_CHANNEL + laid.channel) for t in times])
            bent = row + severity * NOISE * span * drawn[where]
        bent = np.clip(np.rint(bent / sensor.step) * sensor.step, sensor.low, sensor.high)
        row[there] = bent[there]
