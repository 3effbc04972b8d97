"""Turbine-steps per second of the twin on one core: simulating, encoding, publishing.

    python bench/twin.py [--json]

A turbine-step is one sample of one turbine (all channels). Rates are per second of processor time,
so that other work on the machine does not count. The utility-scale figures come with shares of
time: physics, wake look-up, sensors, encoding and network, the last against a real Mosquitto.
"""

import argparse
import json
import platform
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from gustbed_core.codec import Encoding, encode
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import MqttSettings
from gustbed_core.telemetry import Samples, block_from_samples
from gustbed_core.turbine_types import load_type
from gustbed_twin.farms.miniature import MiniatureFarm
from gustbed_twin.farms.variable_speed import NO_WAKES, VariableSpeedFarm
from gustbed_twin.physics.miniature import Miniature
from gustbed_twin.physics.model import FarmPlan
from gustbed_twin.records import WakeTable
from gustbed_twin.turbine.model import TurbineModel, prepare_model
from gustbed_twin.turbine.variable_speed import load_variable_speed
from gustbed_twin.wind.site import Conditions

TURBINES = (6, 100, 1000)
UTILITY_TURBINES = (1, 10, 100, 1000, 5000)
SAMPLES = 10
OFFLINE_SAMPLES = 100
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
        "utility": utility(seconds),
        "machine": {"python": platform.python_version(), "numpy": np.__version__},
    }


def utility(seconds: float) -> list[dict[str, Any]]:
    """Figures of ``nrel_5mw``, with and without publishing."""
    machine = prepare_model(load_variable_speed("nrel_5mw"))
    VariableSpeedFarm(machine, 1, range(1), Conditions()).advance(SAMPLES)
    with _broker() as session:
        return [
            _utility_figure(machine, turbines, session, seconds) for turbines in UTILITY_TURBINES
        ]


def _utility_figure(
    machine: TurbineModel, turbines: int, session: Session | None, seconds: float
) -> dict[str, Any]:
    before = psutil.Process().memory_info().rss
    wakes = WakeTable(np.full((72, 23, turbines), 0.9))
    farm = VariableSpeedFarm(machine, 1, range(turbines), Conditions(), wakes=wakes)
    grown = psutil.Process().memory_info().rss - before - wakes.share.nbytes
    offline = _per_step(lambda: farm.advance(OFFLINE_SAMPLES), turbines * OFFLINE_SAMPLES, seconds)
    whole = _per_step(lambda: farm.advance(SAMPLES), turbines * SAMPLES, seconds)
    still = farm.fork()
    still.wakes = NO_WAKES
    unsheltered = _per_step(lambda: still.advance(SAMPLES), turbines * SAMPLES, seconds)
    still.blind = True
    physics = _per_step(lambda: still.advance(SAMPLES), turbines * SAMPLES, seconds)
    steps = turbines * SAMPLES
    encoding = _per_step(lambda: _payloads(farm, farm.held_block(SAMPLES)), steps, seconds)
    payloads = _payloads(farm, farm.advance(SAMPLES))
    network = 0.0
    if session is not None:
        broker = session
        network = _per_step(lambda: _publish(broker, payloads), steps, seconds)
    published = whole + encoding + network
    return {
        "turbines": turbines,
        "offline_turbine_steps_per_s": round(1.0 / offline),
        "published_turbine_steps_per_s": round(1.0 / published) if session else None,
        "cores_for_real_time_published": round(turbines * RATE_HZ * published, 4),
        "share": {
            "physics": round(physics / published, 3),
            "wake": round(max(whole - unsheltered, 0.0) / published, 3),
            "sensors": round(max(unsheltered - physics, 0.0) / published, 3),
            "encoding": round(encoding / published, 3),
            "network": round(network / published, 3),
        },
        "state_bytes_per_turbine": farm.state_bytes() // turbines,
        "grown_bytes_per_turbine": max(grown, 0) // turbines,
    }


def _payloads(farm: VariableSpeedFarm, values: Any) -> list[bytes]:
    kind, names = farm.model.variable_speed.name, farm.model.channels
    return [
        encode(block_from_samples(Samples("wt01", "boot", n, 0.0, 0.05, block, kind, names)))
        for n, block in enumerate(values)
    ]


def _publish(session: Session, payloads: list[bytes]) -> None:
    # A window no larger than the queue, as the twin's own pace keeps it.
    for start in range(0, len(payloads), 500):
        for payload in payloads[start : start + 500]:
            session.publish(Message("gustbed/bench/wt01/telemetry", payload))
        session.drain(30.0)


def _per_step(block: Callable[[], object], steps: int, seconds: float) -> float:
    """Processor seconds per turbine-step."""
    block()
    blocks, started = 0, time.process_time()
    while (elapsed := time.process_time() - started) < seconds:
        block()
        blocks += 1
    return elapsed / (blocks * steps)


@contextmanager
def _broker() -> Iterator[Session | None]:
    """A session with a Mosquitto of its own; None where there is no Mosquitto."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    if not Path(program).exists():
        yield None
        return
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
        free.close()
        config = Path(folder) / "mosquitto.conf"
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\n"
        )
        process = subprocess.Popen(
            [program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            # A broker of its own, whatever the environment says of a fleet's.
            settings = MqttSettings(host="127.0.0.1", port=port, credentials_dir=None, ca=None)
            session = Session(settings, user="twin", client_id="bench", max_queued=60_000)
            with session:
                session.wait_connected(20.0)
                yield session
        finally:
            process.terminate()
            process.wait(10)


def _times_real_time(figure: dict[str, Any]) -> float:
    needed: int = RATE_HZ * figure["turbines"]
    return round(float(figure["turbine_steps_per_s"]) / needed, 1)


def _rate(turbines: int, encoding: Encoding | None, seconds: float) -> int:
    farm = _miniatures(turbines)
    block = _encoding_block(farm, encoding) if encoding else lambda: farm.advance(SAMPLES)
    return round(1.0 / _per_step(block, turbines * SAMPLES, seconds))


def _miniatures(turbines: int) -> MiniatureFarm:
    return Miniature(load_type("mini")).build(FarmPlan(turbines, 1))


def _encoding_block(farm: MiniatureFarm, encoding: Encoding) -> Callable[[], object]:
    kind, names = farm.turbine_type.name, farm.turbine_type.channel_names

    def block() -> None:
        for seq, values in enumerate(farm.advance(SAMPLES)):
            samples = Samples("wt01", "boot", seq, 0.0, 1 / RATE_HZ, values, kind, names)
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
    print("mini")
    print(f"{'turbines':>8}  {'way':<24}{'turbine-steps/s':>16}{'× real time':>14}")
    for row in figures["figures"]:
        steps, times = row["turbine_steps_per_s"], row["times_real_time"]
        print(f"{row['turbines']:>8}  {row['way']:<24}{steps:>16,}{times:>14,.1f}")
    print("\nnrel_5mw, per core")
    print(f"{'turbines':>8}{'offline/s':>13}{'published/s':>13}{'cores at 20 Hz':>16}"
          f"{'bytes each':>12}  shares of time when publishing")  # fmt: skip
    for row in figures["utility"]:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in row["share"].items())
        published = row["published_turbine_steps_per_s"]
        print(
            f"{row['turbines']:>8}{row['offline_turbine_steps_per_s']:>13,}"
            f"{published if published is None else format(published, ','):>13}"
            f"{row['cores_for_real_time_published']:>16.4f}{row['state_bytes_per_turbine']:>12,}"
            f"  {shares}"
        )


if __name__ == "__main__":
    main()
