"""Sites of miniatures that differ from the simulator's own, and what an edge captures of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from gustbed_core.capture import Capture, CaptureBatch, pack
from gustbed_core.features import Engineer
from gustbed_core.package import Package
from gustbed_core.turbine_types import load_type
from gustbed_training.detectors.scoring import scorer
from gustbed_twin.farms.miniature import MiniatureFarm
from gustbed_twin.sensors.miniature import QUATERNION_STEP
from gustbed_twin.turbine import miniature as turbine
from gustbed_twin.turbine.miniature_type import read_miniature
from gustbed_twin.wind.miniature import WindConfig

MINI = load_type("mini")
CHANNELS = MINI.channel_names
RATE, STRETCH, INTERVAL = 20, 600, 6000
"""Samples a second, of a capture, and from one capture of a turbine to its next, as usual."""
TURBINES = 6
T0 = 1_700_000_000.0
Values = NDArray[np.float64]
"""(turbines, channels, samples)."""


@dataclass(frozen=True)
class Site:
    """How a site differs: factors of its machines' constants, its wind, how much noisier its
    sensors are, and what they make of a reading.
    """

    machine: dict[str, float] = field(default_factory=dict)
    wind: tuple[float, float] = (2.15, 0.15)
    noise: float = 1.0
    read: Callable[[Values], Values] = lambda values: values


def fast_anemometer(values: Values) -> Values:
    """One that turns 5 % faster than it should."""
    changed = values.copy()
    changed[:, CHANNELS.index("wind_speed_rps")] *= 1.05
    return changed


def tilted(values: Values) -> Values:
    """An attitude sensor that was mounted 2° askew about the roll axis."""
    rows = [CHANNELS.index(name) for name in ("qw", "qx", "qy", "qz")]
    w, x, y, z = values[:, rows].transpose(1, 0, 2)
    cosine, sine = np.cos(np.deg2rad(1.0)), np.sin(np.deg2rad(1.0))
    turned = np.stack(
        (
            w * cosine - x * sine, x * cosine + w * sine,
            y * cosine + z * sine, z * cosine - y * sine,
        ),
        axis=1,
    )  # fmt: skip
    changed = values.copy()
    changed[:, rows] = np.rint(turned / QUATERNION_STEP) * QUATERNION_STEP
    return changed


def farm_of(site: Site, seed: int = 11) -> MiniatureFarm:
    """A farm of such machines."""
    own = read_miniature(MINI)
    constants = {
        name: getattr(own.physics.machine, name) * factor for name, factor in site.machine.items()
    }
    machine = msgspec.structs.replace(own.physics.machine, **constants)
    physics = msgspec.structs.replace(own.physics, machine=machine)
    return MiniatureFarm(
        replace(own, physics=physics), seed, range(TURBINES), WindConfig(*site.wind), RATE
    )


def run(site: Site, minutes: int, seed: int = 11) -> Values:
    """What a site's sensors say for so long, once its turbines have turned for a while."""
    with noisier(site.noise):
        farm = farm_of(site, seed)
        farm.advance(120 * RATE)
        parts = [farm.advance(60 * RATE) for _ in range(minutes)]
    return site.read(np.concatenate(parts, axis=2))


@contextmanager
def noisier(factor: float) -> Iterator[None]:
    """Voltage and attitude with so much more noise than the simulator's own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("VOLTAGE_NOISE", "VOLTAGE_NOISE_SHARE"):
            patch.setattr(turbine, name, getattr(turbine, name) * factor)
        attitude = tuple(factor * noise for noise in turbine.ATTITUDE_NOISE_RAD)
        patch.setattr(turbine, "ATTITUDE_NOISE_RAD", attitude)
        yield


def captures(values: Values, package: Package, interval: int = INTERVAL) -> list[Capture]:
    """What an edge that serves a package draws by the clock: a turbine after the other, each once
    in so many samples.
    """
    manifest, score = package.manifest, scorer(package.model)
    rows = [CHANNELS.index(name) for name in manifest.channel_names]
    engineer = Engineer(manifest.features, manifest.channel_names)
    found = []
    for first in range(0, values.shape[2] - interval + 1, interval):
        for number in range(len(values)):
            begin = first + number * interval // len(values)
            if begin + STRETCH > values.shape[2]:
                continue
            drawn = values[number, rows, begin : begin + STRETCH].astype(np.float32)
            count = STRETCH // manifest.window
            windows = drawn.reshape(len(rows), count, manifest.window).transpose(1, 0, 2)
            worst = score(engineer(windows))[1].max(axis=1)
            found.append(
                Capture(
                    f"wt{number + 1:02d}", "mini", "boot", T0 + begin / RATE, 1 / RATE,
                    list(manifest.channel_names), pack(drawn), worst.round(5).tolist(),
                    int((worst > 1).sum()), None,
                )
            )  # fmt: skip
    return found


def lake_of(folder: Path, found: list[Capture]) -> Path:
    """A folder as the lake brings it."""
    folder.mkdir(parents=True)
    line = msgspec.json.encode(CaptureBatch("gustbed-site-1", "site-1", found))
    (folder / "captures.jsonl").write_bytes(line + b"\n")
    return folder
