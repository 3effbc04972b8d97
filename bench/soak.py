"""A large farm for minutes: does everything keep up, and does anything get lost?

    python bench/soak.py [--turbines 1000] [--minutes 15] [--json]

Starts a fleet of processes of its own (own home, own ports), watches it, and stops it. Latency is
from a block's last sample to its verdict at a subscriber, on every fiftieth turbine. Lost on the
site are blocks by their numbers; lost on the way to the cloud are records that the edge's outbox
took and that CloudWatch Logs does not have in the end.
"""

import argparse
import contextlib
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import psutil
from prometheus_client.parser import text_string_to_metric_families

from gustbed_cli.fleet import Fleet, PlaceSettings, load_fleet
from gustbed_cli.runtime.supervisor import read_state
from gustbed_core import codec, topics
from gustbed_core.events import Verdict
from gustbed_core.mqtt import Session
from gustbed_core.site_directory import OPERATOR

MAX_P99_MS = 250.0
EVERY = 50
NOISE_BYTES = 256 * 1024
"""A backlog of less is one message under way."""
DRAIN_SECONDS = 60.0
LOOK_SECONDS = 240.0
"""Of what reached the cloud, looked at each minute: a record may be so late."""


@dataclass(frozen=True)
class Minute:
    """What one minute brought. ``cpu`` is in percent of one core, by process."""

    minute: int
    blocks: int
    verdicts_per_s: float
    p50_ms: float
    p99_ms: float
    edge_p99_ms: float
    backlog_bytes: int
    lag_s: float
    in_bytes_per_s: int
    out_bytes_per_s: int
    lost: int
    dropped: int
    reasons: list[str]
    cpu: dict[str, float] = field(default_factory=dict)


class Listener:
    """Latencies of some turbines' verdicts, as a subscriber sees them."""

    def __init__(self, fleet: Fleet) -> None:
        self._decode = codec.decoder(Verdict)
        self._latencies: list[float] = []
        self._lock = threading.Lock()
        site = fleet.site
        watch = {topics.verdict(site.site, name): self._take for name in site.turbine_ids[::EVERY]}
        self.session = Session(fleet.mqtt(), user=OPERATOR, subscriptions=watch)

    def _take(self, _topic: str, payload: bytes) -> None:
        latency = time.time() - self._decode(payload).t
        with self._lock:
            self._latencies.append(latency)

    def percentiles(self) -> tuple[float, float]:
        """Of the latencies since the last call, in milliseconds."""
        with self._lock:
            taken, self._latencies = self._latencies, []
        if not taken:
            return float("nan"), float("nan")
        p50, p99 = np.percentile(np.array(taken), [50, 99]).tolist()
        return round(p50 * 1e3, 1), round(p99 * 1e3, 1)


class Watch:
    """Asks edge and operating system once a minute."""

    def __init__(self, fleet: Fleet, listener: Listener) -> None:
        self._fleet = fleet
        self._listener = listener
        self._before = self._sums()
        self._at = time.monotonic()
        self._cpu = cpu_seconds(fleet.home)

    def minute(self, number: int) -> Minute:
        """What has happened since the last call."""
        sums, at, cpu = self._sums(), time.monotonic(), cpu_seconds(self._fleet.home)
        past = at - self._at
        grown = {name: sums[name] - self._before.get(name, 0.0) for name in sums}
        status, p = self._get("/status"), self._listener.percentiles()
        found = Minute(
            number,
            round(grown["gustbed_edge_blocks_total"]),
            round(grown["gustbed_edge_verdicts_total"] / past, 1),
            *p,
            round(status.get("latency", {}).get("p99", float("nan")) * 1e3, 1),
            round(sums["gustbed_edge_outbox_bytes"]),
            status.get("lag", 0.0),
            round(grown["gustbed_edge_uplink_in_bytes_total"] / past),
            round(grown["gustbed_edge_uplink_out_bytes_total"] / past),
            round(sums["gustbed_edge_lost_total"]),
            round(
                sums["gustbed_edge_outbox_dropped_total"]
                + sums["gustbed_edge_intake_dropped_total"]
                + sums["gustbed_edge_held_dropped_total"]
            ),
            self._get("/health")["reasons"],
            {name: round(100 * (cpu[name] - self._cpu.get(name, 0.0)) / past, 1) for name in cpu},
        )
        self._before, self._at, self._cpu = sums, at, cpu
        return found

    def recorded(self) -> dict[str, int]:
        """Records that the edge's outbox has taken, by kind."""
        return {
            sample.labels["kind"]: round(sample.value)
            for family in text_string_to_metric_families(self._text())
            for sample in family.samples
            if sample.name == "gustbed_edge_uplink_records_total"
        }

    def waiting(self) -> int:
        """Bytes that wait for the cloud."""
        return round(self._sums()["gustbed_edge_outbox_bytes"])

    def _sums(self) -> dict[str, float]:
        sums: dict[str, float] = dict.fromkeys(
            (
                "gustbed_edge_uplink_in_bytes_total",
                "gustbed_edge_uplink_out_bytes_total",
                "gustbed_edge_outbox_dropped_total",
                "gustbed_edge_held_dropped_total",
            ),
            0.0,
        )
        for family in text_string_to_metric_families(self._text()):
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        return sums

    def _text(self) -> str:
        return self._read("/metrics").decode()

    def _get(self, path: str) -> Any:
        return json.loads(self._read(path))

    def _read(self, path: str) -> bytes:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self._fleet.edge_url + path, timeout=30) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            return bytes(error.read())


def cpu_seconds(home: Path) -> dict[str, float]:
    """CPU time of each of a fleet's processes and its children so far."""
    state = read_state(home)
    found: dict[str, float] = {}
    for each in state.processes if state else ():
        with contextlib.suppress(psutil.NoSuchProcess, TypeError):
            process = psutil.Process(each.pid)
            own = process.cpu_times()
            total = own.user + own.system + own.children_user + own.children_system
            for child in process.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = child.cpu_times()
                    total += times.user + times.system
            found[each.name] = total
    return found


class Arrivals:
    """Verdicts and changes of events in CloudWatch Logs, each counted once.

    Looked at every minute, because the emulator keeps the latest 10,000 lines of a stream only.
    """

    def __init__(self, fleet: Fleet) -> None:
        os.environ |= fleet.environment()
        self._logs, self._thing = boto3.client("logs"), fleet.site.thing
        # A record that was delivered twice is the same text twice.
        self._seen: dict[str, set[int]] = {"verdicts": set(), "events": set()}

    def look(self, seconds: float) -> dict[str, int]:
        """Take in the lines of the last so many seconds. Returns how many there have been."""
        for kind, seen in self._seen.items():
            pages = self._logs.get_paginator("filter_log_events").paginate(
                logGroupName="/gustbed/fleet",
                logStreamNames=[f"{self._thing}/{kind}"],
                startTime=int((time.time() - seconds) * 1000),
            )
            with contextlib.suppress(self._logs.exceptions.ResourceNotFoundException):
                seen.update(hash(row["message"]) for page in pages for row in page["events"])
        return {kind: len(seen) for kind, seen in self._seen.items()}


@contextlib.contextmanager
def fleet(home: Path, turbines: int) -> Iterator[Fleet]:
    """A fleet of its own, until the block ends."""
    for name in [name for name in os.environ if name.startswith("GUSTBED_PORT_")]:
        del os.environ[name]
    ports = [name for name in PlaceSettings.model_fields if name.startswith("port_")]
    os.environ |= {f"GUSTBED_{name.upper()}": str(_free_port()) for name in ports}
    os.environ |= {"GUSTBED_HOME": str(home), "RUNTIME": "process", "TARGET": "local"}
    os.environ["GUSTBED_TURBINES"] = str(turbines)
    # A session for each of a thousand turbines is a thousand threads of one Python process.
    os.environ.setdefault("GUSTBED_TWIN_CONNECTION", "shared")
    command = [sys.executable, "-m", "gustbed_cli"]
    try:
        subprocess.run([*command, "up"], check=True, stdout=sys.stderr)
        yield load_fleet()
    finally:
        subprocess.run([*command, "down"], check=False, stdout=sys.stderr)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(turbines: int, minutes: int, home: Path) -> dict[str, Any]:
    """Run the farm and say how it went; each minute's line goes to stderr at once."""
    with fleet(home, turbines) as running:
        listener = Listener(running)
        with listener.session as session:
            session.wait_connected(30)
            watch, arrivals = Watch(running, listener), Arrivals(running)
            rows = []
            for number in range(1, minutes + 1):
                time.sleep(60)
                rows.append(watch.minute(number))
                arrivals.look(LOOK_SECONDS)
                sys.stderr.write(line(rows[-1]) + "\n")
            recorded, end = watch.recorded(), time.monotonic() + DRAIN_SECONDS
            while time.monotonic() < end:
                there = arrivals.look(LOOK_SECONDS)
                if all(there[kind] >= recorded.get(kind, 0) for kind in there):
                    break
                time.sleep(2)
    missing = {
        kind: max(0, recorded[kind] - there.get(kind, 0))
        for kind in ("verdicts", "events")
        if kind in recorded
    }
    second, last = rows[min(1, len(rows) - 1)], rows[-1]
    steady = rows[1:] or rows
    return {
        "bench": "soak",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "turbines": turbines,
        "minutes": [asdict(row) for row in rows],
        "recorded": recorded,
        "missing_in_cloud": missing,
        "verdict": {
            "p99": max(row.p99_ms for row in steady) < MAX_P99_MS,
            "backlog": last.backlog_bytes <= max(second.backlog_bytes, NOISE_BYTES),
            "nothing_lost": not any(missing.values()) and last.lost == last.dropped == 0,
            "healthy": not last.reasons,
        },
    }


HEAD = "min  blocks  verdicts/s  p50 ms  p99 ms  edge p99  backlog kB  lag s  in B/s  out B/s  lost"


def line(row: Minute) -> str:
    """A minute as a row of the table, its processes behind it."""
    cpu = "  ".join(f"{name} {share:.0f}%" for name, share in row.cpu.items())
    return (
        f"{row.minute:>3}{row.blocks:>8}{row.verdicts_per_s:>12.0f}{row.p50_ms:>8.0f}"
        f"{row.p99_ms:>8.0f}{row.edge_p99_ms:>10.0f}{row.backlog_bytes / 1000:>12.1f}"
        f"{row.lag_s:>7.0f}{row.in_bytes_per_s:>8}{row.out_bytes_per_s:>9}{row.lost:>6}  {cpu}"
        + "".join(f"\n     ! {reason}" for reason in row.reasons)
    )


def main() -> int:
    """Print JSON with ``--json``, else a line for each question; the table goes to stderr."""
    parser = argparse.ArgumentParser(description="A large farm for minutes.")
    parser.add_argument("--turbines", type=int, default=1000)
    parser.add_argument("--minutes", type=int, default=15)
    parser.add_argument("--home", type=Path, help="folder of the fleet; none: one that goes")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gustbed-soak-") as folder:
        sys.stderr.write(HEAD + "\n")
        figures = run(options.turbines, options.minutes, options.home or Path(folder))
    if options.json:
        print(json.dumps(figures))
    else:
        print(f"{figures['turbines']} turbines on {figures['machine']}")
        print(
            f"recorded for the cloud {figures['recorded']}, missing {figures['missing_in_cloud']}"
        )
        for question, answer in figures["verdict"].items():
            print(f"{question:14s} {'yes' if answer else 'NO'}")
    return 0 if all(figures["verdict"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
