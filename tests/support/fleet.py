"""A whole fleet on free ports with a home of its own, driven by its command line."""

import configparser
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from gustbed_cli.fleet import PlaceSettings, target_variables
from gustbed_cli.runtime.supervisor import read_state
from tests.support.paths import ROOT
from tests.support.ports import free_port

PORTS = ("MQTT", "MQTT_TOOLS", "EDGE", "AWS", "REGISTRY", "IOT", "DASHBOARD")


@dataclass(frozen=True)
class RunningFleet:
    """A fleet that ``gustbed up`` started."""

    home: Path
    environment: Mapping[str, str]
    command: Path = ROOT / "gustbed"
    folder: Path | None = None
    """Where the command runs; here if not given."""

    def cli(self, *arguments: str, check: bool = True, timeout: float = 300) -> str:
        """Run ``gustbed`` and return what it printed on stdout."""
        done = self.run(*arguments, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"gustbed {' '.join(arguments)}: {done.returncode}: {done.stderr}")
        return done.stdout

    def run(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run ``gustbed`` and return everything about it."""
        return subprocess.run(
            [str(self.command), *arguments],
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def json(self, *arguments: str, timeout: float = 300) -> Any:
        """Run ``gustbed … --json`` and read it."""
        return json.loads(self.cli(*arguments, "--json", timeout=timeout))

    def status(self) -> Any:
        """``gustbed status --json``."""
        return self.json("status")

    def turbines(self) -> dict[str, Any]:
        """Turbines of the one site, by id."""
        return {t["id"]: t for t in self.status()["sites"][0]["turbines"]}

    def edge(self) -> Any:
        """The edge of the one site."""
        return self.status()["sites"][0]["edge"]

    def events(self) -> list[Any]:
        """``gustbed events --json``."""
        found: list[Any] = self.json("events")
        return found

    def aws(self, service: str) -> Any:
        """A client of the fleet's cloud."""
        ports = {f"port_{p.lower()}": int(self.environment[f"GUSTBED_PORT_{p}"]) for p in PORTS}
        place = PlaceSettings.model_validate({**ports, "home": self.home})
        values = target_variables("local", place)
        key = configparser.ConfigParser(interpolation=None)
        key.read(values["AWS_SHARED_CREDENTIALS_FILE"])
        endpoint = values.get(f"AWS_ENDPOINT_URL_{service.upper()}", values["AWS_ENDPOINT_URL"])
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name=values["AWS_REGION"],
            **key["default"],
        )

    @property
    def dashboard_url(self) -> str:
        """Where the browser goes."""
        return f"http://127.0.0.1:{self.environment['GUSTBED_PORT_DASHBOARD']}"


def describe(runtime: str, home: Path, **variables: str) -> RunningFleet:
    """A fleet that is not started yet: free ports, its own home and compose project."""
    return RunningFleet(
        home,
        {
            **{k: v for k, v in os.environ.items() if not k.startswith("GUSTBED_")},
            **{f"GUSTBED_PORT_{name}": str(free_port()) for name in PORTS},
            "GUSTBED_HOME": str(home),
            "COMPOSE_PROJECT_NAME": f"gustbed-test-{os.getpid()}",
            "RUNTIME": runtime,
            "TARGET": "local",
            # Turbines of tests are like their model's, and faults need not wait a minute.
            "GUSTBED_EDGE_TRUST_AFTER": "0",
            **variables,
        },
    )


@contextmanager
def running(runtime: str, home: Path, **variables: str) -> Iterator[RunningFleet]:
    """Start a fleet, and stop it whatever happens."""
    fleet = describe(runtime, home, **variables)
    try:
        fleet.cli("up", timeout=900)
        yield fleet
    finally:
        fleet.run("down")
        if runtime == "docker":
            _remove_volumes(fleet.environment["COMPOSE_PROJECT_NAME"])


def _remove_volumes(project: str) -> None:
    mine = [
        "docker",
        "volume",
        "ls",
        "-q",
        "--filter",
        f"label=com.docker.compose.project={project}",
    ]
    volumes = subprocess.run(mine, capture_output=True, text=True, check=False).stdout.split()
    if volumes:
        subprocess.run(["docker", "volume", "rm", *volumes], capture_output=True, check=False)


def pid_of(fleet: RunningFleet, service: str) -> int:
    """Process id of a service of a process fleet."""
    state = read_state(fleet.home)
    assert state is not None
    (pid,) = (process.pid for process in state.processes if process.name == service)
    assert pid is not None
    return pid


def scored(fleet: RunningFleet) -> bool:
    """Whether every turbine has a good verdict."""
    turbines = fleet.turbines()
    return bool(turbines) and all(t["state"] == "ok" for t in turbines.values())


def logged(fleet: RunningFleet, uplink: str) -> list[Any]:
    """Everything of one uplink topic in CloudWatch Logs, oldest first."""
    pages = fleet.aws("logs").get_paginator("filter_log_events")
    return [
        json.loads(event["message"])
        for page in pages.paginate(logGroupName="/gustbed/fleet")
        for event in page["events"]
        if event["logStreamName"].endswith(f"/{uplink}")
    ]
