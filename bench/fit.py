"""Fits twins to recordings of machines whose constants are hidden, and compares.

    python bench/fit.py [--json] [--type mini] [--machines 6] [--minutes 20]

Each machine's constants are within 10 % of its type's, each by a factor of its own. A miniature is
recorded in three winds, an NREL 5 MW turbine in two; the fit starts at the type.
"""

import argparse
import json
import sys
import time
from typing import Any

from gustbed_core.turbine_types import load_type
from gustbed_twin.fitting.fit_miniature import fit_miniature
from gustbed_twin.fitting.fit_variable_speed import fit_variable_speed
from gustbed_twin.fitting.hidden import Hidden, hidden_miniatures, hidden_utility
from gustbed_twin.fitting.report import Report
from gustbed_twin.turbine.miniature_type import read_miniature
from gustbed_twin.turbine.variable_speed import load_variable_speed

SEED = 21


def compare(machine: Hidden, report: Report) -> list[dict[str, Any]]:
    """A row for each constant of a machine."""
    found = {each.name: each for each in report.constants}
    return [
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


def fitted(kind: str, machines: int, minutes: float) -> list[dict[str, Any]]:
    """The rows of so many machines of a type."""
    rows: list[dict[str, Any]] = []
    utility = kind == "nrel_5mw"
    hidden = hidden_utility if utility else hidden_miniatures
    for machine in hidden(SEED, range(machines), minutes):
        start = time.process_time()
        if utility:
            report, _ = fit_variable_speed(machine.recorded, load_variable_speed(kind), _silent)
        else:
            report, _ = fit_miniature(machine.recorded, read_miniature(load_type(kind)), _silent)
        seconds = time.process_time() - start
        print(f"{machine.name}: {seconds:.1f} s of processor time", file=sys.stderr)
        rows += compare(machine, report)
    return rows


def _silent(_line: str) -> None:
    """Progress that nobody reads."""


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--type", choices=("mini", "nrel_5mw"), default="mini")
    parser.add_argument("--machines", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=20.0, help="in each wind")
    options = parser.parse_args()
    rows = fitted(options.type, options.machines, options.minutes)
    if options.json:
        print(json.dumps(rows))
        return
    print("machine   constant                       hidden      fitted   error    95 % ±   covered")
    for row in rows:
        said = "yes" if row["covered"] else "NO"
        if not row["identified"]:
            said += "  not identified"
        print(
            f"{row['machine']:9} {row['constant']:26} {row['hidden']:10.5g}  {row['fitted']:10.5g}"
            f"  {row['error']:+7.2%}  {row['half_width']:7.2%}   {said}"
        )
    told = [row for row in rows if row["identified"]]
    worst = max(abs(row["error"]) for row in told)
    held = sum(row["covered"] for row in told)
    print(
        f"largest error of those identified {worst:.2%}; {held} of {len(told)} intervals hold the"
        f" hidden constant; {len(rows) - len(told)} of {len(rows)} not identified"
    )


if __name__ == "__main__":
    main()
