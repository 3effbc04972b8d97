"""Fits twins to recordings of machines whose constants are hidden, and compares.

    python bench/fit.py [--json] [--machines 6] [--minutes 20]

Each machine's constants are within 10 % of its type's, each by a factor of its own. It is recorded
in three winds; the fit starts at the type.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gustbed_core.turbine_types import load_type
from gustbed_twin.farms.miniature import MiniatureFarm
from gustbed_twin.fitting.fit_miniature import fit_miniature
from gustbed_twin.fitting.recorded import Recorded
from gustbed_twin.turbine.miniature_type import read_miniature
from gustbed_twin.wind.miniature import WindConfig
from gustbed_twin.wind.request import Wind

VARIATION = 0.1
WINDS_RPS = (1.2, 2.15, 3.6)
SEED = 21


@dataclass(frozen=True, slots=True)
class Hidden:
    """A machine: its recordings, and by name the constants that a fit should find."""

    name: str
    recorded: list[Recorded]
    constants: dict[str, float]


def hidden_miniatures(
    seed: int, rows: Sequence[int], minutes: float, winds: Sequence[float] = WINDS_RPS
) -> list[Hidden]:
    """Machines of one farm, recorded for so long in each wind.

    What a fit can find are the constants in the wind as counted (see
    ``gustbed_twin.fitting.miniature``), with the efficiencies that are each machine's own.
    """
    kind = read_miniature(load_type("mini"))
    farm = MiniatureFarm(kind, seed, rows, WindConfig(winds[0]), 20, VARIATION)
    blocks = []
    for wind in winds:
        farm.change_wind(Wind(mean=wind))
        blocks.append(farm.advance(round(minutes * 60 * farm.rate_hz)))
    own, machines = farm.traits, farm.machines
    found = []
    for row, index in enumerate(rows):
        gain = float(machines.anemometer[row])
        constants = {
            "lift": machines.lift[row] * own.efficiency[row] / gain,
            "friction": machines.friction[row] * gain,
            "load": machines.load[row] * gain,
            "inertia": machines.inertia[row] * gain,
            "volts_per_rps": machines.volts_per_rps[row] * own.generator[row],
        }
        recorded = [
            Recorded(Path(f"wind {wind:g}"), block[row], 20.0)
            for wind, block in zip(winds, blocks, strict=True)
        ]
        hidden = {name: float(value) for name, value in constants.items()}
        found.append(Hidden(f"mini {index + 1}", recorded, hidden))
    return found


def compare(machines: int, minutes: float) -> list[dict[str, Any]]:
    """A row for each constant of each machine."""
    kind = read_miniature(load_type("mini"))
    rows: list[dict[str, Any]] = []
    for machine in hidden_miniatures(SEED, range(machines), minutes):
        start = time.process_time()
        report, _ = fit_miniature(machine.recorded, kind, lambda _line: None)
        seconds = time.process_time() - start
        print(f"{machine.name}: {seconds:.1f} s of processor time", file=sys.stderr)
        found = {each.name: each for each in report.constants}
        rows += [
            {
                "machine": machine.name,
                "constant": name,
                "hidden": hidden,
                "fitted": found[name].value,
                "error": found[name].value / hidden - 1.0,
                "half_width": 0.5 * (found[name].high - found[name].low) / found[name].value,
                "identified": found[name].identified,
                "covered": found[name].low <= hidden <= found[name].high,
            }
            for name, hidden in machine.constants.items()
        ]
    return rows


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--machines", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=20.0, help="in each of three winds")
    options = parser.parse_args()
    rows = compare(options.machines, options.minutes)
    if options.json:
        print(json.dumps(rows))
        return
    print("machine   constant        hidden    fitted   error    95 % ±   covered")
    for row in rows:
        covered = "yes" if row["covered"] else "NO"
        print(
            f"{row['machine']:9} {row['constant']:14} {row['hidden']:8.4f}  {row['fitted']:8.4f}"
            f"  {row['error']:+7.2%}  {row['half_width']:6.2%}   {covered}"
        )
    worst = max(abs(row["error"]) for row in rows)
    held = sum(row["covered"] for row in rows)
    print(f"largest error {worst:.2%}; {held} of {len(rows)} intervals hold the hidden constant")


if __name__ == "__main__":
    main()
