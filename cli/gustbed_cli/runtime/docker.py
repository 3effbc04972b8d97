"""The fleet as containers, through Docker Compose."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from gustbed_cli.checkout import CLONE, find_checkout, require_checkout
from gustbed_cli.fleet import OPERATOR, Fleet, Runtime
from gustbed_cli.runtime import preflight
from gustbed_cli.runtime.backend import Progress, ServiceStatus, State
from gustbed_cli.runtime.services import addresses
from gustbed_core.drift import FOLDER
from gustbed_core.errors import GustbedError
from gustbed_core.settings import MqttSettings

LOOK_SECONDS = 20
PULL_SECONDS = 120
HEALTHY_WITHIN = 120
"""Seconds for containers to become healthy once their images are there."""
BASE_IMAGES = {
    "PYTHON_IMAGE": "python:3.11-slim-bookworm",
    "MOSQUITTO_IMAGE": "eclipse-mosquitto:2",
}
"""Build arguments with their public defaults, as in the Dockerfiles; ``.env`` may replace them."""


WHAT = "RUNTIME=docker"


class BaseImageMissingError(GustbedError):
    """A base image is neither here nor can be pulled."""


class DockerRuntime:
    """Starts, looks at and stops a fleet of containers."""

    name: Runtime = "docker"

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def up(self, report: Progress) -> None:
        """Build, start and wait until every container is healthy. Raises ``GustbedError``."""
        if not self.is_running():
            preflight.free_ports(self._fleet)
        report("building images (the first time takes minutes)")
        self._compose("build", show=True)
        report("starting containers; waiting until every one is healthy")
        self._compose("up", "--detach", "--wait", "--wait-timeout", str(HEALTHY_WITHIN), show=True)
        self._fetch_operator_password()

    def down(self, report: Progress, *, delete_state: bool = False) -> None:
        """Stop and remove this fleet's containers, and its volumes if asked."""
        report("stopping containers")
        self._compose(
            "down", "--remove-orphans", *(["--volumes"] if delete_state else []), show=True
        )
        if delete_state:
            report(f"deleting {self._fleet.home}")
            shutil.rmtree(self._fleet.home, ignore_errors=True)

    def enrol(self, thing: str) -> int:
        """Answer a request in the fleet's enrolment volume. Returns an exit code."""
        command = ("exec", "--no-TTY", "provisioner", "python", "-m", "gustbed_cloud")
        return self._run_compose(*command, "enrol", thing).returncode

    def statuses(self) -> list[ServiceStatus]:
        """Every container's state."""
        output = self._compose("ps", "--all", "--format", "json")
        rows = [row for row in _json_lines(output) if row.get("ExitCode", 0) == 0 or _lives(row)]
        at = addresses(self._fleet)
        memory = _memory([str(row["Name"]) for row in rows if _lives(row)])
        return [
            ServiceStatus(
                name=str(row["Service"]),
                state=_state(row),
                address=at.get(str(row["Service"]), ""),
                memory_mb=memory.get(str(row["Name"])),
                restarts=_restarts(str(row["Name"])),
            )
            for row in rows
            if _lives(row) or row.get("ExitCode")
        ]

    def logs(self, service: str | None, *, follow: bool) -> int:
        """Print the logs of one container or all. Returns Compose's exit code."""
        known = self._compose("config", "--services").split()
        if service is not None and service not in known:
            raise GustbedError(f"service {service!r}", f"one of {', '.join(sorted(known))}")
        arguments = ["logs", "--tail", "100", *(["--follow"] if follow else [])]
        named = [service] if service else []
        return self._run_compose("--ansi", "never", *arguments, *named).returncode

    def read_file(self, service: str, path: str) -> bytes:
        """A file inside a service's container. Raises ``GustbedError``."""
        # As text, for `docker cp` does not see what lies on a container's tmpfs.
        return base64.b64decode(self._compose("exec", "--no-TTY", service, "base64", path))

    def operator(self) -> MqttSettings:
        """The site broker, with the operator's password as the containers know it."""
        # Asked for anew each time: whoever deletes the volumes changes the passwords.
        self._fetch_operator_password()
        return self._fleet.mqtt(self._credentials)

    def is_running(self) -> bool:
        """Whether any container of this fleet runs."""
        if unusable_because() is not None:
            return False
        return bool(self._compose("ps", "--quiet").strip())

    @property
    def _credentials(self) -> Path:
        return self._fleet.home / "docker-credentials"

    def _fetch_operator_password(self) -> None:
        path = f"/run/gustbed/credentials/{OPERATOR}.password"
        password = self._compose("exec", "--no-TTY", "dashboard", "cat", path)
        self._credentials.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = self._credentials / f"{OPERATOR}.password"
        target.touch(mode=0o600)
        target.write_text(password, encoding="utf-8")

    def _environment(self) -> dict[str, str]:
        place = self._fleet.place
        version = require_checkout(WHAT) / "VERSION"
        reports = self._fleet.home / FOLDER
        # Else Docker would make it, and own it.
        reports.mkdir(parents=True, exist_ok=True)
        return {
            "GUSTBED_DRIFT_DIR": str(reports),
            "GUSTBED_VERSION": version.read_text(encoding="utf-8").strip(),
            **os.environ,
            "TARGET": self._fleet.target,
            "GUSTBED_SITE": self._fleet.site.site,
            "GUSTBED_TURBINES": str(self._fleet.site.turbines),
            **self._fleet.types_variable(),
            "GUSTBED_PORT_MQTT": str(place.port_mqtt),
            "GUSTBED_PORT_EDGE": str(place.port_edge),
            "GUSTBED_PORT_AWS": str(place.port_aws),
            "GUSTBED_PORT_REGISTRY": str(place.port_registry),
            "GUSTBED_PORT_IOT": str(place.port_iot),
            "GUSTBED_PORT_DASHBOARD": str(place.port_dashboard),
        }

    def _compose(self, *arguments: str, show: bool = False) -> str:
        done = self._run_compose(*arguments, capture=not show)
        if done.returncode != 0:
            words = (done.stderr or "see the lines above").strip().splitlines()
            raise GustbedError(f"docker compose {arguments[0]} failed", words[-1][:300])
        return done.stdout or ""

    def _run_compose(
        self, *arguments: str, capture: bool = False
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*_compose_command(), *arguments],
            cwd=require_checkout(WHAT),
            env=self._environment(),
            capture_output=capture,
            text=True,
            check=False,
        )


def unusable_because() -> GustbedError | None:
    """Why the fleet cannot run in containers here, or None if it can."""
    root = find_checkout()
    if root is None:
        return GustbedError("containers need a checkout of the repository", CLONE)
    if shutil.which("docker") is None:
        return GustbedError("docker is not installed", "install Docker, or use RUNTIME=process")
    if not _succeeds("docker", "info"):
        return GustbedError("no Docker engine answers", "start it, or use RUNTIME=process")
    if not _succeeds(*_compose_command(), "version"):
        return GustbedError("Docker Compose v2 is missing", "install the compose plugin")
    chosen = {**dotenv_values(root / ".env"), **os.environ}
    for variable, public in BASE_IMAGES.items():
        image = chosen.get(variable) or public
        if not _succeeds("docker", "image", "inspect", image) and not _succeeds(
            "docker", "pull", "--quiet", image, seconds=PULL_SECONDS
        ):
            return BaseImageMissingError(
                f"image {image} cannot be had",
                f"run scripts/offline-images, or set {variable} to one that can",
            )
    return None


def make_base_images(report: Progress) -> None:
    """Make stand-ins for base images that no registry gives. Raises ``GustbedError``."""
    report("no registry gives the base images: making stand-ins (scripts/offline-images)")
    script = require_checkout(WHAT) / "scripts" / "offline-images"
    if subprocess.run([str(script)], stdout=sys.stderr, check=False).returncode != 0:
        raise GustbedError("scripts/offline-images failed", "see the lines above")


def _compose_command() -> tuple[str, ...]:
    if _succeeds("docker", "compose", "version"):
        return ("docker", "compose")
    return ("docker-compose",)


def _succeeds(*command: str, seconds: int = LOOK_SECONDS) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _json_lines(text: str) -> list[dict[str, object]]:
    # Compose prints one object per line since 2.21, one array before.
    text = text.strip()
    if text.startswith("["):
        rows: list[dict[str, object]] = json.loads(text)
        return rows
    return [json.loads(line) for line in text.splitlines()]


def _lives(row: Mapping[str, object]) -> bool:
    return row.get("State") in ("running", "restarting")


def _state(row: Mapping[str, object]) -> State:
    if row.get("State") == "restarting":
        return "restarting"
    if row.get("State") != "running":
        return "stopped"
    health = row.get("Health")
    if health == "starting":
        return "starting"
    return "unhealthy" if health == "unhealthy" else "healthy"


def _restarts(container: str) -> int:
    done = subprocess.run(
        ["docker", "inspect", "--format", "{{.RestartCount}}", container],
        capture_output=True,
        text=True,
        check=False,
    )
    return int(done.stdout.strip() or 0) if done.returncode == 0 else 0


def _memory(containers: list[str]) -> dict[str, float]:
    if not containers:
        return {}
    done = subprocess.run(
        ["docker", "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *containers],
        capture_output=True,
        text=True,
        check=False,
    )
    rows = (line.split() for line in done.stdout.splitlines())
    return {row[0]: _megabytes(row[1]) for row in rows if len(row) > 1}


def _megabytes(text: str) -> float:
    units = {"GiB": 1073.74, "MiB": 1.048576, "KiB": 0.001024, "B": 1e-6}
    for unit, factor in units.items():
        if text.endswith(unit):
            return round(float(text.removesuffix(unit)) * factor, 1)
    return 0.0
