"""The fleet's containers, driven by Docker Compose itself rather than by the command line."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.paths import ROOT
from tests.support.ports import free_port

PORTS = ("MQTT", "MQTT_TOOLS", "EDGE", "AWS", "REGISTRY", "IOT", "DASHBOARD")
TAG = f"test-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"
"""Each working copy tests images of its own, and leaves a person's alone."""
OURS = ("AWS_", "COMPOSE_", "GUSTBED_", "TARGET")
"""Prefixes of variables that Compose files read: a person's own must not change a test."""


def clean_environment(**variables: str) -> dict[str, str]:
    """This process's environment without what the Compose files read."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "GUSTBED_TAG": TAG, **variables}


def docker(*arguments: str, timeout: float = 120) -> str:
    """Run ``docker`` and return what it printed. Raises ``AssertionError`` if it fails."""
    return _run(("docker", *arguments), clean_environment(), timeout)


def image_of(service: str) -> str:
    """Name of the image that Compose builds for a service."""
    images = {"init": "broker", "provisioner": "cloud", "registry": "emulator"}
    return f"gustbed/{images.get(service, service)}:{TAG}"


def _run(
    command: tuple[str, ...], environment: Mapping[str, str], timeout: float, *, check: bool = True
) -> str:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stderr[-3000:]}"
    return done.stdout


@dataclass(frozen=True)
class Compose:
    """One Compose project. ``arguments`` come before the command, such as ``-f``."""

    environment: Mapping[str, str]
    arguments: tuple[str, ...] = ()

    def run(self, *arguments: str, timeout: float = 300, check: bool = True) -> str:
        """Run a command and return what it printed. Raises ``AssertionError`` if it fails."""
        command = ("docker", "compose", *self.arguments, *arguments)
        return _run(command, self.environment, timeout, check=check)

    def config(self) -> Any:
        """The merged model."""
        return json.loads(self.run("config", "--format", "json"))

    def containers(self, *, all_of_them: bool = False) -> dict[str, Any]:
        """``docker inspect`` of every container that runs, by service."""
        flags = ("--all",) if all_of_them else ()
        ids = self.run("ps", "--quiet", *flags).split()
        inspected = json.loads(docker("inspect", *ids))
        return {c["Config"]["Labels"]["com.docker.compose.service"]: c for c in inspected}

    def execute(self, service: str, *command: str) -> str:
        """Run a command in a container."""
        return self.run("exec", "--no-TTY", service, *command)


@contextmanager
def compose_fleet() -> Iterator[Compose]:
    """A fleet on free ports, gone with its volumes when the block ends."""
    ports = {f"GUSTBED_PORT_{name}": str(free_port()) for name in PORTS}
    project = f"gustbed-containers-{os.getpid()}"
    fleet = Compose(clean_environment(COMPOSE_PROJECT_NAME=project, **ports))
    try:
        fleet.run("up", "--detach", "--wait", "--wait-timeout", "300")
        yield fleet
    finally:
        fleet.run("down", "--volumes", "--remove-orphans")
