"""The fleet as containers, through Docker Compose."""

import base64
import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from dotenv import dotenv_values

from gustbed_cli.checkout import CLONE, find_checkout, require_checkout
from gustbed_cli.fleet import Fleet
from gustbed_cli.record import Runtime, project_of
from gustbed_cli.runtime import containers, preflight
from gustbed_cli.runtime.backend import Progress, ServiceStatus
from gustbed_cli.runtime.services import addresses, has
from gustbed_core.drift import FOLDER
from gustbed_core.errors import GustbedError
from gustbed_core.settings import MqttSettings, SiteSettings
from gustbed_core.site_directory import CA, OPERATOR

LOOK_SECONDS = 20
PULL_SECONDS = 120
HEALTHY_WITHIN = 300
"""Seconds for containers to become healthy once their images are there, on a slow machine too."""
BASE_IMAGES = {
    "PYTHON_IMAGE": "python:3.11-slim-bookworm",
    "MOSQUITTO_IMAGE": "eclipse-mosquitto:2",
}
"""Build arguments with their public defaults, as in the Dockerfiles; ``.env`` may replace them."""

CLOUD_ACCESS = "/run/gustbed/aws/credentials"
"""Where containers keep the local cloud's key."""
DIRECTORY = "/run/gustbed/operators"
"""Where the dashboard's container finds the sites that there are."""
REQUESTS = "/var/lib/gustbed/enrol/requests"
FURTHER_SITE = ("-f", "docker-compose.joined.yml")
"""The Compose file of a site that has joined a fleet; the fleet's own is Compose's default."""
LOOK_EVERY = 1.0
PASSING = {"is unhealthy": HEALTHY_WITHIN, "address already in use": 20}
"""What Compose says of a dependency that may be on its way back, and Docker of a port that it may
be letting go: seconds to try again."""
ONCE = "init"
"""The service that does its work once, and ends."""
WHAT = "RUNTIME=docker"
MOST_SAID = 2000
"""Characters of Compose's last line: long project names come before what is looked for in it."""


class BaseImageMissingError(GustbedError):
    """A base image is neither here nor can be pulled."""


class DockerRuntime:
    """Starts, looks at and stops a fleet of containers."""

    name: Runtime = "docker"

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    @property
    def project(self) -> str:
        """This fleet's Compose project; empty, for Compose itself to say, where none was started.

        A person's own ``COMPOSE_PROJECT_NAME`` holds from ``up`` on.
        """
        if self._fleet.joins is not None:
            return f"{self._first.project}-{self._fleet.site.site.lower()}"
        record = self._fleet.record
        chosen = _dot_env().get("COMPOSE_PROJECT_NAME") or ""
        if record is not None and record.runtime == self.name and record.project:
            return record.project
        return chosen or (project_of(self._fleet.home) if self._fleet.id else "")

    @property
    def _first(self) -> "DockerRuntime":
        """The fleet's first site, with whose containers its cloud and dashboard run."""
        return self if self._fleet.joins is None else DockerRuntime(self._fleet.joins)

    def up(self, report: Progress) -> None:
        """Build, start and wait until every container is healthy. Raises ``GustbedError``."""
        self._require_own_project()
        if not self.is_running():
            preflight.free_ports(self._fleet)
        if self._fleet.joins is None:
            # A further site runs what its fleet runs.
            report("building images (the first time takes minutes)")
            self._compose("build", show=True)
        report("starting containers; waiting until every one is healthy")
        started = time.monotonic()
        self._start(started)
        self._wait_healthy(started, report)
        self.operator()
        self.cloud_access()

    def down(self, report: Progress, *, delete_state: bool = False) -> None:
        """Stop and remove this fleet's containers, and its volumes if asked."""
        self._require_own_project()
        report("stopping containers")
        self._compose(
            "down", "--remove-orphans", *(["--volumes"] if delete_state else []), show=True
        )
        if delete_state:
            report(f"deleting {self._fleet.home}")
            shutil.rmtree(self._fleet.home, ignore_errors=True)

    def enrol(self, thing: str, *options: str) -> int:
        """Answer a request in the fleet's enrolment volume. Returns an exit code."""
        command = ("exec", "--no-TTY", "provisioner", "python", "-m", "gustbed_cloud")
        return self._run_compose(*command, "enrol", thing, *options).returncode

    def retire(self, site: SiteSettings) -> None:
        """Take a further site's edge out of the cloud, and the site out of the directory."""
        # The request first, or whoever asks would be given another certificate. This site's edge
        # may write where all requests lie; nobody but a broker's set-up where sites are listed.
        self._compose("exec", "--no-TTY", "edge", "rm", "-rf", f"{REQUESTS}/{site.thing}")
        command = ("python", "-m", "gustbed_cloud", "retire", site.thing)
        self._compose("exec", "--no-TTY", "provisioner", *command)
        listed = f"/var/lib/gustbed/operators/{site.site}"
        alone = ("run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "rm")
        self._compose(*alone, "init", "-rf", listed)

    def statuses(self) -> list[ServiceStatus]:
        """Every service's state; one whose container has ended, or is gone, is stopped."""
        rows = {str(row["Service"]): row for row in self._containers()}
        at = addresses(self._fleet)
        memory = containers.memory(
            [str(row["Name"]) for row in rows.values() if containers.lives(row)]
        )
        return [
            containers.status(name, rows.get(name, {}), at.get(name, ""), memory)
            for name in self._services()
            if name != ONCE or rows.get(name, {}).get("ExitCode")
        ]

    def logs(self, service: str | None, *, follow: bool) -> int:
        """Print the logs of one container or all. Returns Compose's exit code."""
        known = self._services()
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
        # Asked for anew each time: whoever deletes the volumes changes passwords and CA.
        for name in (f"{OPERATOR}.password", CA):
            listed = f"{DIRECTORY}/{self._fleet.site.site}/{name}"
            content = self._first._compose("exec", "--no-TTY", "dashboard", "cat", listed)
            _write_private(self._credentials / name, content)
        settings = self._fleet.mqtt(self._credentials)
        return settings.model_copy(update={"ca": self._credentials / CA})

    def cloud_access(self) -> None:
        """Fetch the local cloud's key, if it runs: whoever deletes the volumes changes it."""
        if self._fleet.target == "local":
            with contextlib.suppress(GustbedError):
                key = self._compose("exec", "--no-TTY", "emulator", "cat", CLOUD_ACCESS)
                _write_private(self._fleet.aws_credentials, key)

    def is_running(self) -> bool:
        """Whether any container of this fleet runs."""
        if unusable_because() is not None:
            return False
        return bool(self._compose("ps", "--quiet").strip())

    def _start(self, started: float) -> None:
        """Start what does not run. Raises ``GustbedError``."""
        while True:
            try:
                self._compose("up", "--detach", "--quiet-pull", *self._services())
            except GustbedError as error:
                within = max((s for words, s in PASSING.items() if words in str(error)), default=0)
                if time.monotonic() - started > within:
                    raise
                time.sleep(LOOK_EVERY)
            else:
                return

    def _wait_healthy(self, started: float, report: Progress) -> None:
        """Unlike Compose's own ``--wait``, also for what was unhealthy before."""
        waiting = {name for name in self._services() if name != ONCE}
        while waiting:
            rows = {str(row["Service"]): row for row in self._containers()}
            for name in sorted(waiting):
                if containers.state(rows.get(name, {})) == "healthy":
                    report(f"{name} is healthy ({time.monotonic() - started:.0f} s)")
                    waiting.discard(name)
            if waiting and time.monotonic() - started > HEALTHY_WITHIN:
                name = min(waiting)
                raise GustbedError(
                    f"{name} is {containers.state(rows.get(name, {}))} after {HEALTHY_WITHIN} s",
                    f"see `gustbed logs {name}`",
                )
            if waiting:
                time.sleep(LOOK_EVERY)

    def _services(self) -> list[str]:
        listed = self._compose("config", "--services").split()
        known = [name for name in listed if has(self._fleet, name)]
        order = list(addresses(self._fleet))
        return sorted(known, key=lambda name: order.index(name) if name in order else -1)

    def _containers(self) -> list[dict[str, object]]:
        return containers.read_rows(self._compose("ps", "--all", "--format", "json"))

    def _require_own_project(self) -> None:
        """Another checkout's containers are not ours to replace or remove. Raises."""
        ours = str(require_checkout(WHAT))
        for folder in containers.working_folders(self.project):
            if folder != ours:
                raise GustbedError(
                    f"Compose project {self.project} is that of {folder}",
                    f"set COMPOSE_PROJECT_NAME to a name of {ours}'s own",
                )

    @property
    def _credentials(self) -> Path:
        return self._fleet.home / "docker-credentials"

    def _environment(self) -> dict[str, str]:
        place = self._fleet.place
        version = require_checkout(WHAT) / "VERSION"
        reports = self._fleet.home / FOLDER
        # Else Docker would make it, and own it.
        reports.mkdir(parents=True, exist_ok=True)
        # The containers' user must read it, whatever the person's own umask.
        reports.chmod(0o755)
        return {
            "GUSTBED_DRIFT_DIR": str(reports),
            "GUSTBED_VERSION": version.read_text(encoding="utf-8").strip(),
            "GUSTBED_REVISION": _revision(version.parent),
            **os.environ,
            **({"COMPOSE_PROJECT_NAME": self.project} if self.project else {}),
            "TARGET": self._fleet.target,
            "GUSTBED_FLEET": self._fleet.id,
            "GUSTBED_SITE": self._fleet.site.site,
            "GUSTBED_TURBINES": str(self._fleet.site.turbines),
            **self._fleet.types_variable(),
            **self._fleet.port_variables(),
            **self._fleet.twin_variables(),
            **({"COMPOSE_PROFILES": _profiles(place.compat)} if place.compat else {}),
            # Of the fleet that a further site has joined: its networks and volumes are shared.
            "GUSTBED_FLEET_PROJECT": self._first.project,
        }

    def _compose(self, *arguments: str, show: bool = False) -> str:
        done = self._run_compose(*arguments, capture=not show)
        if done.returncode != 0:
            words = (done.stderr or "see the lines above").strip().splitlines()
            raise GustbedError(f"docker compose {arguments[0]} failed", words[-1][:MOST_SAID])
        return done.stdout or ""

    def _run_compose(
        self, *arguments: str, capture: bool = False
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*_compose_command(), *(FURTHER_SITE if self._fleet.joins else ()), *arguments],
            cwd=require_checkout(WHAT),
            env=self._environment(),
            capture_output=capture,
            text=True,
            check=False,
        )


def _revision(checkout: Path) -> str:
    """The commit, with ``-dirty`` where files differ from it; "unknown" without Git."""
    command = ("git", "describe", "--match=", "--always", "--abbrev=40", "--dirty")
    try:
        done = subprocess.run(
            command, cwd=checkout, capture_output=True, text=True, timeout=LOOK_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _profiles(compat: str) -> str:
    """Compose's profiles: those that the person chose, and the one that compatibility needs."""
    chosen = _dot_env().get("COMPOSE_PROFILES") or ""
    return ",".join(dict.fromkeys([*filter(None, chosen.split(",")), compat]))


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
    chosen = _dot_env()
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


def _dot_env() -> dict[str, str | None]:
    """What Compose reads: the environment, and below it the checkout's ``.env``."""
    root = find_checkout()
    return {**(dotenv_values(root / ".env") if root else {}), **os.environ}


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
