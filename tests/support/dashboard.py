"""The dashboard as a process of its own, on free ports."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_port


@dataclass(frozen=True)
class Dashboard:
    """A running dashboard with its own free ports."""

    url: str
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    log: Path

    @property
    def drift_folder(self) -> Path:
        """Where it looks for drift reports."""
        return Path(self.environment["GUSTBED_HOME"]) / "drift"

    def health(self) -> int:
        """Exit code of ``python -m gustbed_dashboard health``."""
        command = [sys.executable, "-m", "gustbed_dashboard", "health"]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, timeout=60, check=False
        )
        return done.returncode

    def stop(self) -> int:
        """Ask it to stop, wait, and return its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()


def start_dashboard(
    folder: Path,
    mqtt_port: int,
    turbines: int = 3,
    cloud: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Dashboard:
    """Start the product's entry point against a broker; the edge is away, as is a cloud of None."""
    port, nowhere = free_port(), free_port()
    away = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{nowhere}",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("GUSTBED_", "AWS_"))},
        "GUSTBED_DASHBOARD_PORT": str(port),
        "GUSTBED_MQTT_PORT": str(mqtt_port),
        "GUSTBED_TURBINES": str(turbines),
        "GUSTBED_EDGE_URL": f"http://127.0.0.1:{nowhere}",
        "GUSTBED_HOME": str(folder),
        **(away if cloud is None else cloud),
        **(variables or {}),
    }
    log = folder / "dashboard.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "gustbed_dashboard"],
            env=environment,
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    return Dashboard(f"http://127.0.0.1:{port}", process, environment, log)
