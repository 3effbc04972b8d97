"""A fitted twin beside a miniature: quiet in other winds, and how it hears slight faults.

    python bench/mirror.py [--json] [--machine 2]

The machine's constants are hidden; its twin is fitted to recordings of it (``bench/fit.py``). Then
the machine runs on in winds of its own, sound and with faults, and each minute is judged.
``raw`` is how far the faulty readings' mean is from the sound ones', in their standard deviations:
what a threshold on the channel would have to go by.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gustbed_core.events import AnomalyEvent
from gustbed_core.mirror import Mirrored
from gustbed_core.settings import SiteSettings
from gustbed_core.telemetry import Samples
from gustbed_core.turbine_types import load_type, read_type
from gustbed_twin.farms.miniature import MiniatureFarm
from gustbed_twin.fitting.fit_miniature import fit_miniature
from gustbed_twin.fitting.hidden import VARIATION, hidden_miniatures
from gustbed_twin.fitting.write_type import base_file, write_type
from gustbed_twin.mirror.service import Mirror
from gustbed_twin.turbine.miniature_type import read_miniature
from gustbed_twin.wind.miniature import WindConfig
from gustbed_twin.wind.request import Wind

SEED = 21
RECORDED_MINUTES = 20.0
SOUND_MINUTES, FAULTY_MINUTES, MENDED_MINUTES = 60, 15, 10
SOUND_WINDS = (2.15, 1.2, 1.7, 2.8, 4.0)
FAULTS = (("rotation", 0.01), ("rotation", 0.02), ("voltage", 0.02), ("voltage", 0.04))
BLOCK = 10
MINI = load_type("mini")


def mirrored(row: int) -> Iterator[dict[str, Any]]:
    """A row for each stretch of time of one machine."""
    kind = read_miniature(MINI)
    [machine] = hidden_miniatures(SEED, [row], RECORDED_MINUTES)
    report, change = fit_miniature(machine.recorded, kind, lambda _line: None)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "fitted.yaml"
        write_type(base_file("mini", None), out, "fitted", change, report)
        mirror = Mirror(read_type(out), SiteSettings(), "wt01")
    farm = MiniatureFarm(kind, SEED, [row], WindConfig(), 20, VARIATION)
    run = Stretch(farm, mirror)
    sound = np.zeros((len(MINI.channels), 0))
    for wind in SOUND_WINDS:
        farm.change_wind(Wind(mean=wind))
        found, values = run.over(SOUND_MINUTES, f"sound, wind {wind:g}")
        sound = values if wind == SOUND_WINDS[0] else sound
        yield found
    farm.change_wind(Wind(mean=SOUND_WINDS[0]))
    run.over(MENDED_MINUTES, "")
    for fault, severity in FAULTS:
        farm.inject(0, fault, severity, 10.0)
        found, values = run.over(FAULTY_MINUTES, f"{fault} {severity:g}")
        channel = MINI.channel_names.index("rps" if fault == "rotation" else "voltage")
        away = values[channel].mean() - sound[channel].mean()
        yield {**found, "raw": abs(float(away / sound[channel].std()))}
        farm.clear(0, None, 10.0)
        run.over(MENDED_MINUTES, "")


class Stretch:
    """A machine and its mirror, run on together."""

    def __init__(self, farm: MiniatureFarm, mirror: Mirror) -> None:
        self._farm, self._mirror, self._seq = farm, mirror, 0

    def over(self, minutes: int, what: str) -> tuple[dict[str, Any], Any]:
        """Run on; what the mirror said, and the readings (channels, samples)."""
        z, events, read = list[list[float]](), list[AnomalyEvent](), []
        for _ in range(minutes * 60 * self._farm.rate_hz // BLOCK):
            values = self._farm.advance(BLOCK)[0]
            read.append(values)
            t0 = self._seq * BLOCK / self._farm.rate_hz
            block = Samples(
                "wt01", "boot", self._seq, t0, 1.0 / self._farm.rate_hz, values, "mini",
                MINI.channel_names,
            )  # fmt: skip
            self._seq += 1
            for said in self._mirror.take(block):
                if isinstance(said, Mirrored):
                    z.append([each.z for each in said.channels.values()])
                elif isinstance(said, AnomalyEvent):
                    events.append(said)
        mean, spread = np.mean(z, axis=0), np.std(z, axis=0)
        opened = [each.kind for each in events if each.change == "opened"]
        return {
            "what": what, "minutes": len(z), "z_rps": float(mean[0]), "sd_rps": float(spread[0]),
            "z_voltage": float(mean[1]), "sd_voltage": float(spread[1]), "events": opened,
        }, np.concatenate(read, axis=1)  # fmt: skip


def main() -> None:
    """Print the rows as they come."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--machine", type=int, default=2, choices=range(1, 7))
    options = parser.parse_args()
    rows = []
    if not options.json:
        print("stretch            minutes  z rps   (sd)  z voltage  (sd)   raw   events opened")
    for row in mirrored(options.machine - 1):
        rows.append(row)
        if options.json:
            continue
        raw = f"{row['raw']:.2f}" if "raw" in row else "-"
        print(
            f"{row['what']:18} {row['minutes']:5}   {row['z_rps']:+6.2f}  {row['sd_rps']:4.2f}"
            f"   {row['z_voltage']:+6.2f}   {row['sd_voltage']:4.2f}   {raw:4}"
            f"  {', '.join(row['events']) or 'none'}"
        )
        sys.stdout.flush()
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
