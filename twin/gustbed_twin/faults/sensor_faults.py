"""Faults of sensors, fault over what the sensors read."""

from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from gustbed_core.turbine_types import Channel
from gustbed_twin.filters import Floats
from gustbed_twin.noise import normal

DRIFT, NOISE, NEW_ZERO, NEW_GAIN = 0.10, 0.05, 0.03, 0.05
"""At severity 1, over the sensor's range; the gain over the reading."""
NOISE_CHANNEL, DROPOUT_CHANNEL = 2_000_003, 3_000_017


@dataclass
class SensorFault:
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
    """What lies over a farm's readings. A turbine's faults depend on its own key alone."""

    def __init__(self, sensors: tuple[Channel, ...], periods: Any, keys: Any) -> None:
        self._sensors = sensors
        self._periods = periods
        self._keys = keys
        self._faults: dict[tuple[int, str, int], SensorFault] = {}

    def set(
        self, position: int, kind: str, channel: int, severity: float, length: int, now: int
    ) -> None:
        """From sample ``now`` go from wherever it is to ``severity`` in ``length`` samples."""
        key = (position, kind, channel)
        before = self._faults.get(key)
        low = float(before.at(np.array([now - 1.0]))[0]) if before else 0.0
        held = before.held if before else None
        self._faults[key] = SensorFault(position, kind, channel, now, length, low, severity, held)

    def channels(self, position: int, kind: str) -> list[int]:
        """Channels of a turbine on which a kind of fault lies."""
        return [fault.channel for fault in self._faults.values()
                if fault.position == position and fault.kind == kind]  # fmt: skip

    def severity(self, turbines: int, kind: str, samples: Floats) -> Floats:
        """The strongest severity of a kind: (turbines, samples)."""
        out = np.zeros((turbines, len(samples)))
        for fault in self._faults.values():
            if fault.kind == kind:
                out[fault.position] = np.maximum(out[fault.position], fault.at(samples))
        return out

    def apply(self, values: Floats, first: int) -> None:
        """Bend ``values`` (turbines, channels, samples) in place."""
        if not self._faults:
            return
        samples = np.arange(first, first + values.shape[2], dtype=float)
        for key, fault in list(self._faults.items()):
            severity = fault.at(samples)
            if severity.any():
                self._bend(fault, values[fault.position, fault.channel], severity, samples)
            elif fault.high == 0.0:
                del self._faults[key]

    def dump(self) -> list[dict[str, Any]]:
        """For a checkpoint."""
        return [asdict(fault) for fault in self._faults.values()]

    def restore(self, rows: list[dict[str, Any]]) -> None:
        """From a checkpoint."""
        made = [SensorFault(**row) for row in rows]
        self._faults = {(fault.position, fault.kind, fault.channel): fault for fault in made}

    def _bend(self, fault: SensorFault, row: Floats, severity: Floats, samples: Floats) -> None:
        sensor, period = self._sensors[fault.channel], int(self._periods[fault.channel])
        there, span = severity > 0.0, sensor.high - sensor.low
        key = self._keys[fault.position]
        if fault.kind == "sensor_stuck":
            if fault.held is None:
                fault.held = float(row[int(np.argmax(there))])
            row[there] = fault.held
            return
        reads = (samples // period * period).astype(np.int64)
        if fault.kind == "sensor_dropout":
            seconds, where = np.unique(samples // 20, return_inverse=True)
            drawn = np.array(
                [normal(key, int(s), DROPOUT_CHANNEL + fault.channel) for s in seconds]
            )
            chance = np.array([NormalDist().cdf(value) for value in drawn])[where]
            row[there & (chance < severity)] = sensor.low
            return
        if fault.kind == "sensor_drift":
            bent = row + severity * DRIFT * span
        elif fault.kind == "sensor_replaced":
            bent = row * (1.0 + NEW_GAIN * severity) + severity * NEW_ZERO * span
        else:
            times, where = np.unique(reads, return_inverse=True)
            drawn = np.array([normal(key, int(t), NOISE_CHANNEL + fault.channel) for t in times])
            bent = row + severity * NOISE * span * drawn[where]
        bent = np.clip(np.rint(bent / sensor.step) * sensor.step, sensor.low, sensor.high)
        row[there] = bent[there]
