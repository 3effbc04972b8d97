"""Fits twins to recordings of machines whose constants are hidden, and compares.

    python bench/fit.py [--json] [--machines 6] [--minutes 20]

Each machine's constants are within 10 % of its type's, each by a factor of its own. It is recorded
in three winds; the fit starts at the type.
"""

import argparse
import json
import sys
import time
from typing import Any

from gustbed_core.turbine_types import load_type
from gustbed_twin.fitting.fit_miniature import fit_miniature
from gustbed_twin.fitting.hidden import hidden_miniatures
from gustbed_twin.turbine.miniature_type import read_miniature

SEED = 21


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
