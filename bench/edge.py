"""What the edge gateway costs, beside the reference way of doing the same.

    python bench/edge.py [--json] [--quick]

Throughput, on one core: verdicts per second of CPU time. Ours goes from received payloads to
encoded verdicts, all turbines in one run. The reference way (see ``Reference``) goes from samples
already in memory to six booleans, one turbine and one window at a time.

Latency: from block received to verdict published, and from a turbine's publish to the verdict's
arrival at a subscriber, with the gateway as a process of its own on a real Mosquitto.
"""

import argparse
import json
import math
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import onnx
import onnxruntime as ort
import psutil
import pywt
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import gustbed_edge
from gustbed_core import codec, topics
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import MqttSettings, turbine_id
from gustbed_core.telemetry import MINI, Samples, block_from_samples
from gustbed_core.turbine_types import load_types
from gustbed_edge.events.tracker import EventTracker, Site
from gustbed_edge.ingest.quarantine import Quarantine
from gustbed_edge.ingest.queue import Received
from gustbed_edge.ingest.reader import BlockReader
from gustbed_edge.ingest.receiver import BlockReceiver
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.recordings import open_package
from gustbed_edge.scoring.scorer import Scorer

SITES = (6, 100)
"""Turbines."""
PACKAGE = Path(gustbed_edge.__file__).parent / "factory" / "windturbine" / "package.tar.gz"
RATE_HZ, BLOCK = 20.0, 10
SECONDS = BLOCK / RATE_HZ
TYPES = load_types()
CHANNELS = TYPES[MINI].channel_names
PLACE = {name: place for place, name in enumerate(CHANNELS)}
Floats = NDArray[np.float64]


class Reference:
    """The reference systems' detection: per turbine, one window at a time.

    db6 wavelet denoising of the last 501 samples of each of six features (soft threshold on all
    coefficients), normalising, the last 100 steps as (6, 10, 10), a convolutional autoencoder of
    their shape (83,782 parameters; the weights do not matter for time), mean absolute error
    against thresholds.
    """

    SAMPLES, STEPS, SIDE, LEVELS = 501, 100, 10, 5
    LAYERS = ((6, 32, 1, False), (32, 64, 1, False), (64, 128, 2, False))
    MIRROR = ((128, 64, 2, True), (64, 32, 1, True), (32, 6, 1, True))

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        model, self.parameters = self._graph(rng)
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._deviation = rng.uniform(0.5, 2, 6)
        self._thresholds = np.full(6, 0.9)

    def verdict(self, samples: Floats) -> NDArray[np.bool_]:
        """Which of six features are anomalous; ``samples`` has shape (6, 501)."""
        clean = np.empty((6, self.STEPS))
        for i, row in enumerate(samples):
            coefficients = pywt.wavedec(row, "db6", level=self.LEVELS)
            limit = self._deviation[i] * math.sqrt(2 * math.log2(len(row)))
            softened = [pywt.threshold(c, limit, "soft") for c in coefficients]
            clean[i] = pywt.waverec(softened, "db6")[: len(row)][-self.STEPS :]
        window = ((clean - clean.mean()) / self._deviation[:, None]).astype(np.float32)
        window = np.nan_to_num(window).reshape(1, 6, self.SIDE, self.SIDE)
        rebuilt = self._session.run(None, {"input": window})[0]
        error = np.abs(rebuilt - window).reshape(6, -1).mean(axis=1)
        anomalous: NDArray[np.bool_] = error > self._thresholds
        return anomalous

    def _graph(self, rng: np.random.Generator) -> tuple[bytes, int]:
        nodes, weights, last = [], [], "input"
        layers = (*self.LAYERS, *self.MIRROR)
        for i, (inside, outside, padding, transposed) in enumerate(layers):
            kernel = (inside, outside, 2, 2) if transposed else (outside, inside, 2, 2)
            weights.append((f"w{i}", rng.normal(0, 0.05, kernel).astype(np.float32)))
            weights.append((f"b{i}", np.zeros(outside, dtype=np.float32)))
            kind = "ConvTranspose" if transposed else "Conv"
            final = i == len(layers) - 1
            made = "output" if final else f"c{i}"
            pads = [padding] * 4
            nodes.append(helper.make_node(kind, [last, f"w{i}", f"b{i}"], [made], pads=pads))
            last = made
            if not final:
                nodes.append(helper.make_node("Relu", [made], [f"r{i}"]))
                last = f"r{i}"
        shape = [1, 6, self.SIDE, self.SIDE]
        graph = helper.make_graph(
            nodes,
            "reference",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
            [numpy_helper.from_array(array, name) for name, array in weights],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return model.SerializeToString(), sum(array.size for _, array in weights)


class Turbines:
    """Plausible blocks of a site's turbines, and the payloads that carry them."""

    def __init__(self, count: int) -> None:
        self.ids = tuple(turbine_id(i) for i in range(count))
        self._rng = np.random.default_rng(2)
        self._boot = str(uuid4())
        self._start = time.time() - 3600
        self._seq = 0

    def values(self, samples: int = BLOCK) -> Floats:
        """One block's channels (channels, samples)."""
        values = self._rng.normal(0, 0.01, (len(CHANNELS), samples))
        values[PLACE["qw"]] += 1
        for name, mean in {"voltage": 48, "rps": 1.6, "wind_speed_rps": 2.15}.items():
            values[PLACE[name]] += mean
        return values.round(4)

    def payloads(self, now: float | None = None) -> list[tuple[str, bytes]]:
        """The next block of every turbine."""
        t0 = now if now is not None else self._start + self._seq * SECONDS
        seq, self._seq = self._seq, self._seq + 1
        return [
            (
                turbine,
                codec.encode(
                    block_from_samples(
                        Samples(
                            turbine, self._boot, seq, t0, 1 / RATE_HZ, self.values(), MINI, CHANNELS
                        )
                    )
                ),
            )
            for turbine in self.ids
        ]


def throughput(turbines: int, seconds: float, folder: Path) -> dict[str, float]:
    """Verdicts per second of CPU time: ours, theirs."""
    farm, reference = Turbines(turbines), Reference()
    reader = BlockReader("bench", farm.ids, max_clock_ahead=60.0)
    receiver = BlockReceiver(reader, Quarantine(folder))
    tracker = EventTracker(Site("bench", "gustbed-bench", farm.ids))
    scorer = Scorer(farm.ids, reader.requirements, tracker, types=TYPES)
    detector = Detector(open_package(PACKAGE))
    scorer.serve(detector)
    # Made beforehand, so that encoding telemetry is not counted as our work.
    batches = [
        [Received(topics.telemetry("bench", t), payload, 0.0) for t, payload in farm.payloads()]
        for _ in range(max(30, math.ceil(2000 / turbines)))
    ]
    position = iter(range(10**9))

    def ours() -> int:
        number = next(position)
        if number < len(batches):
            outcome = scorer.score(receiver.take(batches[number]))
            return sum(bool(codec.encode(verdict)) for verdict in outcome.verdicts)
        return 0

    warm_up = math.ceil(detector.manifest.window / BLOCK)
    for _ in range(warm_up):
        ours()
    samples = np.abs(np.random.default_rng(3).normal(1, 0.5, (6, Reference.SAMPLES)))
    our_rate = _rate(ours, seconds, len(batches) - warm_up)
    their_rate = _rate(lambda: int(reference.verdict(samples).size > 0), seconds, 10**9)
    return {
        "turbines": turbines,
        "verdicts_per_second_per_core": round(our_rate),
        "reference_verdicts_per_second_per_core": round(their_rate),
        "times_the_reference": round(our_rate / their_rate, 1),
    }


def _rate(work: Callable[[], int], seconds: float, limit: int) -> float:
    """Verdicts per second of this process's CPU time."""
    done, turns = 0, 0
    start, deadline = time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < deadline and turns < limit:
        done += work()
        turns += 1
    return done / (time.process_time() - start)


def latency(turbines: int, seconds: float, folder: Path) -> dict[str, float]:
    """Milliseconds through a real broker, and what the gateway's process takes of the machine."""
    farm = Turbines(turbines)
    sent: dict[tuple[str, int], float] = {}
    trips: deque[float] = deque()

    def receive(_topic: str, payload: bytes) -> None:
        arrived = time.perf_counter()
        verdict = json.loads(payload)
        started = sent.pop((verdict["turbine"], verdict["seq"]), None)
        if started is not None:
            trips.append(arrived - started)

    with _broker(folder) as mqtt, _gateway(folder, mqtt, turbines) as (process, url):
        watch = {topics.every("verdict", "bench"): receive}
        with Session(mqtt, user="", client_id="bench", subscriptions=watch) as session:
            session.wait_connected(10)
            end = time.perf_counter() + seconds
            before = time.perf_counter(), sum(process.cpu_times()[:2])
            number = 0
            while (now := time.perf_counter()) < end:
                for turbine, payload in farm.payloads(time.time()):
                    sent[turbine, number] = time.perf_counter()
                    session.publish(Message(topics.telemetry("bench", turbine), payload, qos=0))
                number += 1
                threading.Event().wait(max(0.0, now + SECONDS - time.perf_counter()))
            taken = time.perf_counter() - before[0], sum(process.cpu_times()[:2]) - before[1]
            _wait(lambda: not sent or None, "all verdicts")
            status = _get(f"{url}/status")
            memory = process.memory_info().rss
    p50, p99 = np.percentile(np.array(trips), [50, 99]).tolist()
    return {
        "turbines": turbines,
        "verdicts": len(trips),
        "received_to_published_p50_ms": round(status["latency"]["p50"] * 1e3, 2),
        "received_to_published_p99_ms": round(status["latency"]["p99"] * 1e3, 2),
        "turbine_to_subscriber_p50_ms": round(p50 * 1e3, 2),
        "turbine_to_subscriber_p99_ms": round(p99 * 1e3, 2),
        "cpu_percent_of_one_core": round(100 * taken[1] / taken[0], 1),
        "memory_mb": round(memory / 2**20, 1),
    }


@contextmanager
def _broker(folder: Path) -> Iterator[MqttSettings]:
    port = _free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n")
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        yield MqttSettings(host="127.0.0.1", port=port, credentials_dir=None, ca=None)
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def _gateway(
    folder: Path, mqtt: MqttSettings, turbines: int
) -> Iterator[tuple[psutil.Process, str]]:
    port = _free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("GUSTBED_")},
        "GUSTBED_SITE": "bench",
        "GUSTBED_TURBINES": str(turbines),
        "GUSTBED_MQTT_PORT": str(mqtt.port),
        "GUSTBED_EDGE_DATA_DIR": str(folder / f"edge-{turbines}"),
        "GUSTBED_EDGE_ENROL_DIR": str(folder / "enrol"),
        "GUSTBED_EDGE_HTTP_PORT": str(port),
    }
    command = [sys.executable, "-m", "gustbed_edge", "run"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(lambda: _get(f"{url}/health"), "the gateway")
        yield psutil.Process(process.pid), url
    finally:
        process.terminate()
        process.wait(10)


def _get(url: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return json.loads(answer.read())
    except OSError:
        return None


def _wait(condition: Callable[[], object], what: str, timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: nothing after {timeout:.0f} s")
        threading.Event().wait(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure everything; ``quick`` gives rougher figures in a few seconds."""
    seconds = (1.0, 3.0) if quick else (5.0, 20.0)
    manifest = open_package(PACKAGE).manifest
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return {
            "bench": "edge",
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "model": manifest.version,
            "features": list(manifest.feature_names),
            "reference_parameters": Reference().parameters,
            "throughput": [throughput(count, seconds[0], folder) for count in SITES],
            "latency": [latency(count, seconds[1], folder) for count in SITES],
        }


def main() -> int:
    """Print JSON with ``--json``, else tables."""
    parser = argparse.ArgumentParser(description="Figures of the edge gateway.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="rougher, in a few seconds")
    options = parser.parse_args()
    figures = run(quick=options.quick)
    if options.json:
        print(json.dumps(figures))
        return 0
    print(f"edge on {figures['machine']}, model {figures['model']}")
    for part in ("throughput", "latency"):
        print(f"\n{part}")
        for name in figures[part][0]:
            values = "".join(f"{row[name]:>12}" for row in figures[part])
            print(f"  {name.replace('_', ' '):40s}{values}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
