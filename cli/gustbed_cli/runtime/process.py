"""The fleet as ordinary processes under one supervisor."""

import hashlib
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import psutil

from gustbed_broker.compat import CompatBroker
from gustbed_broker.configure import BrokerFiles, Listing, configure
from gustbed_cli.fleet import Fleet
from gustbed_cli.record import Runtime
from gustbed_cli.runtime import emulator, fleet_processes, preflight, probes
from gustbed_cli.runtime.backend import Progress, ServiceStatus, State
from gustbed_cli.runtime.services import Service, log_file, services
from gustbed_cli.runtime.supervisor import MARK, read_state
from gustbed_cli.setup import ensure
from gustbed_cloud.__main__ import main as cloud_main
from gustbed_core.enrolment import answer_folder, request_path
from gustbed_core.errors import GustbedError
from gustbed_core.settings import MqttSettings, SiteSettings
from gustbed_core.site_directory import remove_site

HEALTHY_WITHIN = 60.0
"""Seconds that a fleet may take from start to healthy."""
LOOK_EVERY = 0.5
HOPELESS = 3
"""A service that ended this often while the fleet starts will not become healthy."""
_PATH_VARIABLES = (
    "GUSTBED_EMULATOR_PYTHON",
    *(f"GUSTBED_TWIN_{name}" for name in ("REPLAY", "SCENARIO", "LAYOUT", "CHECKPOINT", "CACHE")),
)


class ProcessRuntime:
    """Starts, looks at and stops a fleet of local processes."""

    name: Runtime = "process"
    project = ""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def up(self, report: Progress) -> None:
        """Start what is not running and wait until all is healthy. Raises ``GustbedError``."""
        fleet = self._fleet
        preflight.writable_home(fleet)
        if not fleet_processes.of_home(fleet.home):
            # Before minutes of installing; and again after, for what that itself has started.
            preflight.free_ports(fleet)
        ensure("twin" if fleet.environment().get("GUSTBED_TWIN_TYPE") else "run")
        if fleet.target == "local" and fleet.joins is None:
            emulator.ensure_environment(fleet, report)
            emulator.ensure_access(fleet)
        preflight.ensure_mosquitto(report)
        wanted = services(fleet)
        if self.is_running() and self._settings_changed():
            report("settings or version have changed: starting anew")
            self._stop()
        if self.is_running():
            report("already running; checking its health")
            self._wait_healthy(wanted, report)
            return
        orphans = fleet_processes.of_home(fleet.home)
        if orphans:
            report(f"stopping {len(orphans)} processes of an earlier, unclean stop")
            fleet_processes.stop(orphans)
        preflight.free_ports(fleet)
        self._configure_broker()
        self._start_supervisor()
        report("started; waiting until every service is healthy")
        try:
            self._wait_healthy(wanted, report)
        except GustbedError:
            self._stop()
            raise

    def down(self, report: Progress, *, delete_state: bool = False) -> None:
        """Stop every process of this fleet, and nothing else; delete its folder if asked."""
        ours = fleet_processes.of_home(self._fleet.home)
        report(f"stopping {len(ours)} processes" if ours else "nothing of this fleet is running")
        self._stop()
        if delete_state:
            report(f"deleting {self._fleet.home}")
            shutil.rmtree(self._fleet.home, ignore_errors=True)

    def is_running(self) -> bool:
        """Whether this fleet's supervisor runs."""
        return self._supervisor() is not None

    def enrol(self, thing: str, *options: str) -> int:
        """Answer a request in this machine's enrolment folder. Returns an exit code."""
        return cloud_main(["enrol", thing, *options])

    def retire(self, site: SiteSettings) -> None:
        """Take a further site's edge out of the cloud, and the site out of the directory."""
        # Or whoever asks for a certificate would be given another one.
        shutil.rmtree(request_path(self._fleet.enrol_dir, site.thing).parent, ignore_errors=True)
        if cloud_main(["retire", site.thing]) != 0:
            raise GustbedError(f"{site.thing} is not taken out of the cloud", "see the line above")
        remove_site(self._fleet.directory, site.site)

    def cloud_access(self) -> None:
        """Nothing: services and tools read the same file."""

    def _stop(self) -> None:
        supervisor = self._supervisor()
        fleet_processes.stop([supervisor] if supervisor else [])
        fleet_processes.stop(fleet_processes.of_home(self._fleet.home))

    def _settings_changed(self) -> bool:
        try:
            started_with = self._fingerprint_file.read_text(encoding="utf-8")
        except OSError:
            return True
        return started_with != _fingerprint(self._environment())

    @property
    def _fingerprint_file(self) -> Path:
        return self._fleet.home / "run" / "settings.sha256"

    def _environment(self) -> dict[str, str]:
        return {**_with_absolute_paths(self._fleet.environment()), MARK: str(self._fleet.home)}

    def statuses(self) -> list[ServiceStatus]:
        """Every service's state, healthy or why not."""
        state = read_state(self._fleet.home) if self._supervisor() else None
        known = {process.name: process for process in state.processes} if state else {}
        rows = []
        for service in services(self._fleet):
            process = known.get(service.name)
            pid = process.pid if process else None
            state_of: State = "restarting" if process else "stopped"
            reason = None
            if pid:
                state_of, reason = _look(service)
            rows.append(
                ServiceStatus(
                    name=service.name,
                    state=state_of,
                    address=service.address,
                    memory_mb=_memory_mb(pid),
                    restarts=process.restarts if process else 0,
                    reason=reason,
                )
            )
        return rows

    def logs(self, service: str | None, *, follow: bool) -> int:
        """Print the logs of one service or all, with ``tail``. Returns its exit code."""
        names = [item.name for item in services(self._fleet)]
        if service is not None and service not in names:
            raise GustbedError(f"service {service!r}", f"one of {', '.join(names)}")
        wanted = [service] if service else names
        files = [str(log_file(self._fleet, name)) for name in wanted]
        present = [file for file in files if Path(file).exists()]
        if not present:
            raise GustbedError(files[0], "no log yet: has the fleet been started?")
        command = ["tail", "-n", "100", *(["-F"] if follow else []), *present]
        return subprocess.run(command, check=False).returncode

    def read_file(self, service: str, path: str) -> bytes:
        """A file as a service names it: the same here. Raises ``GustbedError``."""
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise GustbedError(
                f"{path}: {error.strerror}", f"see `gustbed logs {service}`"
            ) from error

    def operator(self) -> MqttSettings:
        """The site broker, with the operator's password."""
        return self._fleet.mqtt()

    def _supervisor(self) -> psutil.Process | None:
        ours = fleet_processes.of_home(self._fleet.home)
        return next((process for process in ours if fleet_processes.is_supervisor(process)), None)

    def _configure_broker(self) -> None:
        home, place = self._fleet.home, self._fleet.place
        files = BrokerFiles(
            home / "broker",
            home / "credentials",
            "127.0.0.1",
            place.port_mqtt,
            tools_port=place.port_mqtt_tools,
            shared_twin=self._environment().get("GUSTBED_TWIN_CONNECTION") == "shared",
            compat=CompatBroker(home / "compat", "127.0.0.1", place.port_compat)
            if place.compat
            else None,
            listing=Listing(self._fleet.directory, "127.0.0.1", self._fleet.edge_url),
        )
        configure(files, self._fleet.site)

    def _start_supervisor(self) -> None:
        environment = self._environment()
        self._fingerprint_file.write_text(_fingerprint(environment), encoding="utf-8")
        log = log_file(self._fleet, "supervisor")
        with log.open("ab") as output:
            subprocess.Popen(
                [sys.executable, "-m", fleet_processes.SUPERVISOR_MODULE],
                env=environment,
                cwd=self._fleet.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _give_up_on(self, service: Service) -> None:
        state = read_state(self._fleet.home)
        processes = state.processes if state else []
        if any(p.name == service.name and p.restarts >= HOPELESS for p in processes):
            log = log_file(self._fleet, service.name)
            raise GustbedError(f"the {service.name} ends again and again", _last_line(log))

    def _wait_healthy(self, wanted: list[Service], report: Progress) -> None:
        waiting = {service.name: service for service in wanted}
        reasons: dict[str, str] = {}
        started = time.monotonic()
        while waiting and time.monotonic() - started < HEALTHY_WITHIN:
            for service in list(waiting.values()):
                try:
                    service.probe()
                except GustbedError as error:
                    reasons[service.name] = str(error)
                    self._give_up_on(service)
                else:
                    report(f"{service.name} is healthy ({time.monotonic() - started:.0f} s)")
                    del waiting[service.name]
            if waiting:
                time.sleep(LOOK_EVERY)
        if waiting:
            name = next(iter(waiting))
            log = log_file(self._fleet, name)
            raise GustbedError(
                f"{name} is not healthy after {HEALTHY_WITHIN:.0f} s: {reasons[name]}",
                f"the last line of {log} is: {_last_line(log)}",
            )
        refusal = probes.refusal(answer_folder(self._fleet.enrol_dir, self._fleet.site.thing))
        if refusal:
            report(f"the edge is not enrolled, and works without the cloud: {refusal}")


def _with_absolute_paths(environment: dict[str, str]) -> dict[str, str]:
    # Services run elsewhere; a person's relative path means where the person stands.
    paths = {name: environment[name] for name in _PATH_VARIABLES if environment.get(name)}
    # Links are kept: that to its Python makes a virtual environment.
    return {**environment, **{name: str(Path(path).absolute()) for name, path in paths.items()}}


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return "(none)"
    return lines[-1][:300] if lines else "(none)"


def _fingerprint(environment: dict[str, str]) -> str:
    """Which version runs with which settings, without keeping credentials on disk."""
    ours = sorted(item for item in environment.items() if item[0].startswith(("GUSTBED_", "AWS_")))
    return hashlib.sha256(repr((version("gustbed-cli"), ours)).encode()).hexdigest()


def _look(service: Service) -> tuple[State, str | None]:
    try:
        service.probe()
    except GustbedError as error:
        return "unhealthy", str(error)
    return "healthy", None


def _memory_mb(pid: int | None) -> float | None:
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return round(sum(member.memory_info().rss for member in family) / 1e6, 1)
    except psutil.Error:
        return None
