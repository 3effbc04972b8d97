"""Claims about faults: each moves what it should, where it should, and nothing else.

The same farm is run with and without the fault. Noise depends on seed, turbine, channel and sample
alone, so whatever differs is the fault's doing.
"""

from dataclasses import dataclass

import numpy as np

from gustbed_twin.filters import Floats
from gustbed_twin.turbine_types import Sensor, UtilityType
from gustbed_twin.utility.farm import UtilityFarm
from gustbed_twin.utility.faults import CATALOGUE, KINDS, channels_of
from gustbed_twin.utility.machine import make_machine
from gustbed_twin.utility.site import Conditions
from gustbed_twin.validation.claim import Claim

ONSET_S, RAMP_S, MEASURED_S = 60, 30, 900
SENSOR = "gearbox_oil_temperature"
"""The channel on which sensor faults are tried."""
SEVERITY = {"grid_dip": 0.3, "sensor_dropout": 0.5, "pitch_slow": 0.95}
FAST_WIND = ("pitch_stuck", "pitch_slow", "hydraulic_leak")
"""Tried where the pitch works."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One fault: mean change of every channel, the largest change, and what is wrong with it."""

    kind: str
    moved: dict[str, float]
    wrong: tuple[str, ...]
    label_matches: bool


def signatures(kind: UtilityType) -> list[Signature]:
    """Every fault, each on a turbine of its own."""
    slow = [each for each in KINDS if each not in FAST_WIND]
    found = [*_tried(kind, slow, 8.0), *_tried(kind, list(FAST_WIND), 16.0)]
    return sorted(found, key=lambda signature: KINDS.index(signature.kind))


def fault_claims(found: list[Signature]) -> list[Claim]:
    """One claim per fault, one for the ground truth."""
    claims = [
        Claim(
            f"fault {each.kind} moves {_wanted(each.kind)}, and no other signal beyond noise",
            "direction and set",
            "; ".join(each.wrong) or _shown(each),
            not each.wrong,
        )
        for each in found
    ]
    matched = sum(each.label_matches for each in found)
    claims.append(Claim(
        "ground truth: severity 0 before onset, ramp and level as scheduled, for every fault",
        f"{len(found)} of {len(found)}", f"{matched} of {len(found)}", matched == len(found),
    ))  # fmt: skip
    return claims


def traces(kind: UtilityType, fault: str, wind: float, names: list[str]) -> tuple[Floats, Floats]:
    """Time (s) and channels (names, 2, seconds): sound and faulty, one reading a second."""
    sound, faulty, _ = _pair(kind, [fault], wind)
    columns = [[sensor.name for sensor in kind.sensors].index(name) for name in names]
    both = np.stack((sound[0, columns], faulty[0, columns]), axis=1)[:, :, :: kind.rate_hz]
    return np.arange(both.shape[2], dtype=float), both


def _pair(kind: UtilityType, faults: list[str], wind: float) -> tuple[Floats, Floats, Floats]:
    conditions = Conditions(mean=wind, turbulence=0.08)
    machine = make_machine(kind, wind)
    sound = UtilityFarm(machine, 4, range(len(faults)), conditions)
    sound.advance(ONSET_S * kind.rate_hz)
    faulty = sound.fork()
    before = faulty.severities(faulty.sample - 1, 1)[:, :, 0]
    for position, fault in enumerate(faults):
        signal = SENSOR if CATALOGUE[fault].any_signal else ""
        faulty.inject(position, fault, SEVERITY.get(fault, 1.0), RAMP_S, signal)
    samples = (RAMP_S + MEASURED_S) * kind.rate_hz
    values = sound.advance(samples), faulty.advance(samples)
    half = faulty.severities(faulty.sample - samples + RAMP_S * kind.rate_hz // 2, 1)[:, :, 0]
    after = faulty.severities(faulty.sample - 1, 1)[:, :, 0]
    return (*values, np.stack((before, half, after)))


def _tried(kind: UtilityType, faults: list[str], wind: float) -> list[Signature]:
    sound, faulty, labels = _pair(kind, faults, wind)
    settled = slice(RAMP_S * kind.rate_hz, None)
    found = []
    for position, fault in enumerate(faults):
        change = faulty[position, :, settled] - sound[position, :, settled]
        found.append(_judged(kind.sensors, fault, change, _labels_match(fault, labels, position)))
    return found


def _judged(
    sensors: tuple[Sensor, ...], fault: str, change: Floats, label_matches: bool
) -> Signature:
    wanted = CATALOGUE[fault].signals
    allowed = set(channels_of(fault, SENSOR))
    moved, wrong = {}, []
    for sensor, row in zip(sensors, change, strict=True):
        mean, size = float(row.mean()), float(np.sqrt((row**2).mean()))
        noise = max(sensor.noise, sensor.step)
        direction = wanted.get(sensor.name, 0)
        if size > noise:
            moved[sensor.name] = mean
        if sensor.name not in allowed and size > noise:
            wrong.append(f"{sensor.name} moves by {size:.3g} {sensor.unit}")
        if direction and not mean * direction > 0.5 * noise:
            wrong.append(f"{sensor.name} changes by {mean:+.3g}, not {'+-'[direction < 0]}")
    if not moved:
        wrong.append("nothing moves")
    return Signature(fault, moved, tuple(wrong), label_matches)


def _labels_match(fault: str, labels: Floats, position: int) -> bool:
    before, half, after = labels[:, position, KINDS.index(fault)]
    level = SEVERITY.get(fault, 1.0)
    others = np.delete(labels[:, position], KINDS.index(fault), axis=1)
    ramping = 0.4 * level < half < 0.6 * level
    return bool(before == 0.0 and ramping and after == level and not others.any())


def _wanted(fault: str) -> str:
    if CATALOGUE[fault].any_signal:
        return "the sensor that it names"
    signals = CATALOGUE[fault].signals
    sure = [f"{name} {'+-'[way < 0]}" for name, way in signals.items() if way]
    return ", ".join(sure[:4]) or ", ".join(list(signals)[:3])


def _shown(signature: Signature) -> str:
    wanted = CATALOGUE[signature.kind].signals
    first = sorted(signature.moved, key=lambda name: -abs(wanted.get(name, 0)))[:3]
    return ", ".join(f"{name} {signature.moved[name]:+.3g}" for name in first)
