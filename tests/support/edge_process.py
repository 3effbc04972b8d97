"""An edge as a process of its own, to be stopped and killed."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gustbed_edge.outbox.store import Outbox
from tests.support.edge import edge_settings
from tests.support.mosquitto import Broker
from tests.support.ports import free_port, wait_until


class EdgeProcess:
    """``python -m gustbed_edge run`` with a folder that survives it."""

    def __init__(self, folder: Path, broker: Broker, **variables: str) -> None:
        self.settings = edge_settings(folder)
        self.port = free_port()
        self.log = folder / "edge.log"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("GUSTBED_")},
            "GUSTBED_TURBINES": "2",
            "GUSTBED_MQTT_PORT": str(broker.settings.port),
            "GUSTBED_MQTT_CREDENTIALS_DIR": str(broker.settings.credentials_dir),
            "GUSTBED_EDGE_DATA_DIR": str(self.settings.data_dir),
            "GUSTBED_EDGE_ENROL_DIR": str(self.settings.enrol_dir),
            "GUSTBED_EDGE_FACTORY_DIR": str(self.settings.factory_dir),
            "GUSTBED_EDGE_HTTP_PORT": str(self.port),
            **variables,
        }

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run it, healthy, until the block ends; then stop it as a service is stopped."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "gustbed_edge", "run"],
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(lambda: self.health() == 0, f"the edge is healthy, see {self.log}")
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(30)
            finally:
                process.kill()
                process.wait(30)

    def health(self) -> int:
        """``python -m gustbed_edge health``."""
        done = subprocess.run(
            [sys.executable, "-m", "gustbed_edge", "health"],
            env=self.environment,
            capture_output=True,
            timeout=30,
            check=False,
        )
        return done.returncode

    def get(self, path: str) -> Any:
        """GET from it; None if it does not answer, or not well."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as got:
                return json.loads(got.read())
        except OSError:
            return None

    def turbine(self, turbine: str) -> Any:
        """A turbine's part of /status."""
        return next(t for t in self.get("/status")["turbines"] if t["id"] == turbine)

    def disk(self) -> Outbox:
        """What is on disk now."""
        return Outbox(self.settings.data_dir, max_bytes=10**9, max_rows=10**6, events_kept=100)
