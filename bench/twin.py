"""Turbine-steps per second of the twin on one core: simulating alone, and encoding too.

    python bench/twin.py [--json]

A turbine-step is one sample of one turbine (all channels). Encoding makes the block's payload as
it goes to the broker.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from gustbed_protocol.codec import Encoding, encode
from gustbed_protocol.telemetry import Samples, block_from_samples
from gustbed_twin.farm import Farm
from gustbed_twin.wind import WindConfig

TURBINES = (6, 100, 1000)
SAMPLES = 10
RATE_HZ = 20
SECONDS = 1.0
WAYS: dict[str, Encoding | None] = {
    "simulate": None,
    "simulate + JSON": Encoding.JSON,
    "simulate + MessagePack": Encoding.MSGPACK,
}


def run(seconds: float = SECONDS) -> dict[str, Any]:
    """Measure every way with every farm, ``seconds`` each."""
    figures = [
        {
            "turbines": turbines,
            "way": way,
            "turbine_steps_per_s": _rate(turbines, encoding, seconds),
        }
        for turbines in TURBINES
        for way, encoding in WAYS.items()
    ]
    return {
        "samples_per_block": SAMPLES,
        "real_time_hz": RATE_HZ,
        "figures": [{**figure, "times_real_time": _times_real_time(figure)} for figure in figures],
        "machine": {"python": platform.python_version(), "numpy": np.__version__},
    }


def _times_real_time(figure: dict[str, Any]) -> float:
    needed: int = RATE_HZ * figure["turbines"]
    return round(float(figure["turbine_steps_per_s"]) / needed, 1)


def _rate(turbines: int, encoding: Encoding | None, seconds: float) -> int:
    farm = Farm(1, range(turbines), WindConfig(), RATE_HZ)
    block = _encoding_block(farm, encoding) if encoding else lambda: farm.advance(SAMPLES)
    block()
    blocks, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        block()
        blocks += 1
    return round(blocks * turbines * SAMPLES / elapsed)


def _encoding_block(farm: Farm, encoding: Encoding) -> Callable[[], object]:
    def block() -> None:
        for seq, values in enumerate(farm.advance(SAMPLES)):
            samples = Samples("wt01", "boot", seq, 0.0, 1 / RATE_HZ, values)
            encode(block_from_samples(samples), encoding)

    return block


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args()
    figures = run()
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{'turbines':>8}  {'way':<24}{'turbine-steps/s':>16}{'× real time':>14}")
    for row in figures["figures"]:
        steps, times = row["turbine_steps_per_s"], row["times_real_time"]
        print(f"{row['turbines']:>8}  {row['way']:<24}{steps:>16,}{times:>14,.1f}")


if __name__ == "__main__":
    main()
