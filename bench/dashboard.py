"""What the dashboard costs beside a busy site: its processor time, and how far it is behind.

    python bench/dashboard.py [--json] [--sites 200x10,1000x1] [--seconds 20]

A site of raw MQTT publishes blocks, verdicts and heartbeats through a real Mosquitto, as twin and
edge do; viewers speak Streamlit's protocol and look at the fleet page. A figure is good when the
blocks that the page has counted are those that were sent, it is not behind, and it stays within one
core.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from gustbed_core import topics
from gustbed_core.codec import encode
from gustbed_core.events import Heartbeat, ModelRef, TurbineStatus, Verdict
from gustbed_core.settings import turbine_id
from gustbed_core.telemetry import MINI, Samples, block_from_samples
from gustbed_core.turbine_types import load_type

SITES = ((200, 1), (200, 10), (1000, 1))
"""Turbines, viewers."""
SITE, MODEL = "site-1", ModelRef("windturbine", "1.0.0")
INTERVAL, SAMPLES = 0.5, 10
SECONDS, SETTLE = 20.0, 8.0
_STRIP = re.compile(r'data-cell="telemetry" data-blocks="([\d.]+)" data-behind="([\d.]+)"')


def run(sites: tuple[tuple[int, int], ...], seconds: float) -> list[dict[str, Any]]:
    """Measure each site."""
    return [measure(turbines, viewers, seconds) for turbines, viewers in sites]


def measure(turbines: int, viewers: int, seconds: float) -> dict[str, Any]:
    """One broker, one site, one dashboard, some viewers."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        broker, page = _free_port(), _free_port()
        config = folder / "mosquitto.conf"
        config.write_text(f"listener {broker} 127.0.0.1\nallow_anonymous true\n")
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        running.enter_context(_process([program, "-c", str(config)], {}))
        _wait_for(broker)
        running.enter_context(
            _process([sys.executable, __file__, "--publish", str(broker), str(turbines)], {})
        )
        variables = {
            "GUSTBED_MQTT_PORT": str(broker),
            "GUSTBED_TURBINES": str(turbines),
            "GUSTBED_DASHBOARD_PORT": str(page),
            "GUSTBED_EDGE_URL": f"http://127.0.0.1:{_free_port()}",
            "GUSTBED_HOME": str(folder),
        }
        dashboard = running.enter_context(
            _process([sys.executable, "-m", "gustbed_dashboard"], variables)
        )
        _wait_for(page)
        return {
            "turbines": turbines,
            "viewers": viewers,
            **asyncio.run(_watch(page, viewers, seconds, psutil.Process(dashboard.pid))),
            "blocks_per_s_sent": turbines / INTERVAL,
        }


async def _watch(
    port: int, viewers: int, seconds: float, dashboard: psutil.Process
) -> dict[str, Any]:
    seen: list[tuple[float, float]] = []
    watching = [asyncio.create_task(_view(port, seen)) for _ in range(viewers)]
    await asyncio.sleep(SETTLE)
    seen.clear()
    before, started = sum(dashboard.cpu_times()[:2]), time.monotonic()
    await asyncio.sleep(seconds)
    elapsed = time.monotonic() - started
    cores = (sum(dashboard.cpu_times()[:2]) - before) / elapsed
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    blocks, behind = zip(*seen, strict=True) if seen else ((), ())
    return {
        "blocks_per_s": round(float(np.mean(blocks)), 1) if blocks else 0.0,
        "behind_s": round(max(behind), 2) if behind else None,
        "cores": round(cores, 2),
        "updates_per_viewer_per_s": round(len(seen) / viewers / elapsed, 2),
        "memory_mb": round(dashboard.memory_info().rss / 1e6),
    }


async def _view(port: int, seen: list[tuple[float, float]]) -> None:
    """A browser on the fleet page: it asks again as often as the page tells it to."""
    async with connect(
        f"ws://127.0.0.1:{port}/_stcore/stream",
        subprotocols=[Subprotocol("streamlit")],
        max_size=None,
    ) as stream:
        await _ask(stream, "")
        repeating: dict[str, asyncio.Task[None]] = {}
        async for data in stream:
            assert isinstance(data, bytes)
            message = ForwardMsg.FromString(data)
            if message.HasField("auto_rerun"):
                told = message.auto_rerun
                if told.fragment_id not in repeating:
                    repeating[told.fragment_id] = asyncio.create_task(
                        _repeat(stream, told.fragment_id, told.interval)
                    )
            found = _STRIP.search(data.decode("utf-8", "replace"))
            if found:
                seen.append((float(found[1]), float(found[2])))


async def _repeat(stream: ClientConnection, fragment: str, interval: float) -> None:
    while True:
        await asyncio.sleep(interval)
        await _ask(stream, fragment)


async def _ask(stream: ClientConnection, fragment: str) -> None:
    wish = BackMsg()
    wish.rerun_script.query_string = ""
    wish.rerun_script.fragment_id = fragment
    wish.rerun_script.is_auto_rerun = bool(fragment)
    await stream.send(wish.SerializeToString())


def publish(port: int, turbines: int) -> None:
    """Be the site until killed. Packets are written by hand: a client library costs too much."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x00\x00\x03sit")
    threading.Thread(target=_drain, args=(connection,), daemon=True).start()
    names = [turbine_id(i) for i in range(turbines)]
    kind = load_type(MINI)
    noise = np.random.default_rng(1).normal(1.0, 0.1, (len(kind.channel_names), SAMPLES))
    ratios = dict.fromkeys(kind.schema.feature_names, 0.3)
    seq, due = 0, time.monotonic()
    while True:
        now = time.time()
        for start in range(0, turbines, 20):
            packets = []
            for name in names[start : start + 20]:
                t0 = now - (SAMPLES - 1) * 0.05
                samples = Samples(name, "boot", seq, t0, 0.05, noise, MINI, kind.channel_names)
                block = encode(block_from_samples(samples))
                packets.append(_packet(topics.telemetry(SITE, name), block, qos=1))
                verdict = Verdict(name, "boot", seq, now, "ok", 0.3, ratios, [], MODEL)
                packets.append(_packet(topics.verdict(SITE, name), encode(verdict)))
            connection.sendall(b"".join(packets))
            # Spread over the interval, as turbines are.
            time.sleep(INTERVAL * 0.7 * 20 / turbines)
        if seq % 2 == 0:
            statuses = [TurbineStatus(n, "ok", seq, 0, 0, 0, 0.3, [], MINI) for n in names]
            beat = Heartbeat(
                SITE, "bench", time.time(), True, MODEL, statuses, models={MINI: MODEL}
            )
            connection.sendall(_packet(topics.heartbeat(SITE), encode(beat)))
        seq, due = seq + 1, due + INTERVAL
        time.sleep(max(0.0, due - time.monotonic()))


def _drain(connection: socket.socket) -> None:
    with suppress(OSError):
        while connection.recv(65536):
            pass


def _packet(topic: str, payload: bytes, qos: int = 0) -> bytes:
    """An MQTT PUBLISH; every one has the same packet id."""
    name = len(topic).to_bytes(2, "big") + topic.encode() + (b"\x00\x01" if qos else b"")
    left = len(name) + len(payload)
    length = bytearray()
    while True:
        left, low = divmod(left, 128)
        length.append(low | (0x80 if left else 0))
        if not left:
            return bytes([0x30 | qos << 1]) + bytes(length) + name + payload


@contextmanager
def _process(command: list[str], variables: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GUSTBED_")}
    process = subprocess.Popen(
        command, env={**kept, **variables}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int) -> None:
    """Until something listens there. Raises ``TimeoutError`` after a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--sites", default=",".join(f"{t}x{v}" for t, v in SITES))
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--publish", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        publish(*options.publish)
    pairs = [each.split("x") for each in options.sites.split(",")]
    figures = run(tuple((int(t), int(v)) for t, v in pairs), options.seconds)
    if options.json:
        print(json.dumps(figures))
        return
    print(f"{'turbines':>8}{'viewers':>9}{'blocks/s':>10}{'of':>7}{'behind s':>10}"
          f"{'cores':>7}{'updates/s':>11}{'MB':>6}")  # fmt: skip
    for row in figures:
        print(
            f"{row['turbines']:>8}{row['viewers']:>9}{row['blocks_per_s']:>10}"
            f"{row['blocks_per_s_sent']:>7.0f}{row['behind_s']!s:>10}{row['cores']:>7}"
            f"{row['updates_per_viewer_per_s']:>11}{row['memory_mb']:>6}"
        )


if __name__ == "__main__":
    main()
