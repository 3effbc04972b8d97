"""Reads what Docker says of a fleet's containers."""

import json
import subprocess
from collections.abc import Mapping

from gustbed_cli.runtime.backend import ServiceStatus, State


def read_rows(text: str) -> list[dict[str, object]]:
    """The containers that ``docker compose ps --format json`` lists."""
    # Compose prints one object per line since 2.21, one array before.
    text = text.strip()
    if text.startswith("["):
        rows: list[dict[str, object]] = json.loads(text)
        return rows
    return [json.loads(line) for line in text.splitlines()]


def lives(row: Mapping[str, object]) -> bool:
    """Whether a container runs, or is about to."""
    return row.get("State") in ("running", "restarting")


def state(row: Mapping[str, object]) -> State:
    """The state of a row; that of a container which is gone is empty."""
    if row.get("State") == "restarting":
        return "restarting"
    if row.get("State") != "running":
        return "stopped"
    health = row.get("Health")
    if health == "starting":
        return "starting"
    return "unhealthy" if health == "unhealthy" else "healthy"


def status(
    name: str, row: Mapping[str, object], address: str, memory: Mapping[str, float]
) -> ServiceStatus:
    """A service's row; that of a container which is gone is empty."""
    container = str(row.get("Name", ""))
    how = state(row)
    reason = last_look(container) if how == "unhealthy" else None
    times = restarts(container) if container else 0
    return ServiceStatus(name, how, address, memory.get(container), times, reason)


def last_look(container: str) -> str | None:
    """What the container's last health check printed."""
    done = subprocess.run(
        ["docker", "inspect", "--format", "{{json .State.Health.Log}}", container],
        capture_output=True,
        text=True,
        check=False,
    )
    looks = json.loads(done.stdout) if done.returncode == 0 else None
    words = str(looks[-1]["Output"]).split("\n") if looks else []
    return next((line.strip()[:300] for line in words if line.strip()), None)


def working_folders(project: str) -> set[str]:
    """The folders that a Compose project's containers were started from."""
    if not project:
        return set()
    label = "com.docker.compose.project"
    chosen = ("--filter", f"label={label}={project}")
    shown = ("--format", f'{{{{.Label "{label}.working_dir"}}}}')
    done = subprocess.run(
        ["docker", "ps", "--all", *chosen, *shown],
        capture_output=True,
        text=True,
        check=False,
    )
    return {line for line in done.stdout.splitlines() if line}


def restarts(container: str) -> int:
    """How often Docker started a container again."""
    done = subprocess.run(
        ["docker", "inspect", "--format", "{{.RestartCount}}", container],
        capture_output=True,
        text=True,
        check=False,
    )
    return int(done.stdout.strip() or 0) if done.returncode == 0 else 0


def memory(containers: list[str]) -> dict[str, float]:
    """Megabytes by container."""
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
