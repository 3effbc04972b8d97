"""Claims about faults: each moves what it should, where it should, and nothing else.

The same farm is run with and without the fault. Noise depends on seed, turbine, channel and sample
alone, so whatever differs is the fault's doing.
"""

from dataclasses import dataclass

import numpy as np

from gustbed_core.turbine_types import TurbineType
from gustbed_twin.farms.variable_speed import VariableSpeedFarm
from gustbed_twin.faults.variable_speed import CATALOGUE, KINDS
from gustbed_twin.filters import Floats
from gustbed_twin.turbine.model import prepare_model
from gustbed_twin.turbine.variable_speed import VariableSpeedType
from gustbed_twin.validation.claim import Claim
from gustbed_twin.wind.site import Conditions

ONSET_S, RAMP_S, MEASURED_S = 60, 30, 900
SENSOR = "gearbox_oil_temperature"
"""The channel on which sensor faults are tried."""
SEVERITY = {"grid_dip": 0.3, "sensor_dropout": 0.5, "pitch_slow": 0.95}
FAST_WIND = ("pitch_stuck", "pitch_slow", "hydraulic_leak")
"""Tried where the pitch works."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One fault: the channels that it is to move, the mean changes, and what is wrong with it."""

    kind: str
    wanted: dict[str, int]
    moved: dict[str, float]
    wrong: tuple[str, ...]
    label_matches: bool


def signatures(turbine_type: VariableSpeedType) -> list[Signature]:
    """Every fault, each on a turbine of its own."""
    slow = [each for each in KINDS if each not in FAST_WIND]
    found = [*_tried(turbine_type, slow, 8.0), *_tried(turbine_type, list(FAST_WIND), 16.0)]
    return sorted(found, key=lambda signature: KINDS.index(signature.kind))


def fault_claims(found: list[Signature]) -> list[Claim]:
    """One claim per fault, one for the ground truth."""
    claims = [
        Claim(
            f"fault {each.kind} moves {_wanted(each)}, and no other signal beyond noise",
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


def traces(
    turbine_type: VariableSpeedType, fault: str, wind: float, names: list[str]
) -> tuple[Floats, Floats]:
    """Time (s) and channels (names, 2, seconds): sound and faulty, one reading a second."""
    sound, faulty, _ = _pair(turbine_type, [fault], wind)
    columns = [[sensor.name for sensor in turbine_type.channels].index(name) for name in names]
    both = np.stack((sound[0, columns], faulty[0, columns]), axis=1)[:, :, :: turbine_type.rate_hz]
    return np.arange(both.shape[2], dtype=float), both


def _pair(
    turbine_type: VariableSpeedType, faults: list[str], wind: float
) -> tuple[Floats, Floats, Floats]:
    conditions = Conditions(mean=wind, turbulence=0.08)
    machine = prepare_model(turbine_type, wind)
    sound = VariableSpeedFarm(machine, 4, range(len(faults)), conditions)
    sound.advance(ONSET_S * turbine_type.rate_hz)
    faulty = sound.fork()
    before = faulty.severities(faulty.sample - 1, 1)[:, :, 0]
    for position, fault in enumerate(faults):
        signal = SENSOR if CATALOGUE[fault].any_signal else ""
        faulty.inject(position, fault, SEVERITY.get(fault, 1.0), RAMP_S, signal)
    samples = (RAMP_S + MEASURED_S) * turbine_type.rate_hz
    values = sound.advance(samples), faulty.advance(samples)
    half = faulty.severities(faulty.sample - samples + RAMP_S * turbine_type.rate_hz // 2, 1)[
        :, :, 0
    ]
    after = faulty.severities(faulty.sample - 1, 1)[:, :, 0]
    return (*values, np.stack((before, half, after)))


def _tried(turbine_type: VariableSpeedType, faults: list[str], wind: float) -> list[Signature]:
    sound, faulty, labels = _pair(turbine_type, faults, wind)
    settled = slice(RAMP_S * turbine_type.rate_hz, None)
    found = []
    for position, fault in enumerate(faults):
        change = faulty[position, :, settled] - sound[position, :, settled]
        found.append(
            _judged(
                turbine_type.turbine_type, fault, change, _labels_match(fault, labels, position)
            )
        )
    return found


def _judged(
    turbine_type: TurbineType, fault: str, change: Floats, label_matches: bool
) -> Signature:
    wanted = CATALOGUE[fault].signals(turbine_type)
    allowed = set(CATALOGUE[fault].moved(turbine_type, SENSOR))
    moved, wrong = {}, []
    for sensor, row in zip(turbine_type.channels, change, strict=True):
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
    return Signature(fault, wanted, moved, tuple(wrong), label_matches)


def _labels_match(fault: str, labels: Floats, position: int) -> bool:
    before, half, after = labels[:, position, KINDS.index(fault)]
    level = SEVERITY.get(fault, 1.0)
    others = np.delete(labels[:, position], KINDS.index(fault), axis=1)
    ramping = 0.4 * level < half < 0.6 * level
    return bool(before == 0.0 and ramping and after == level and not others.any())


def _wanted(signature: Signature) -> str:
    if CATALOGUE[signature.kind].any_signal:
        return "the sensor that it names"
    signals = signature.wanted
    sure = [f"{name} {'+-'[way < 0]}" for name, way in signals.items() if way]
    return ", ".join(sure[:4]) or ", ".join(list(signals)[:3])


def _shown(signature: Signature) -> str:
    wanted = signature.wanted
    first = sorted(signature.moved, key=lambda name: -abs(wanted.get(name, 0)))[:3]
    return ", ".join(f"{name} {signature.moved[name]:+.3g}" for name in first)
