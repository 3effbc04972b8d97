"""The one list of services that make a fleet on this machine, as processes."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gustbed_cli.fleet import ROOT, Fleet
from gustbed_cli.runtime import probes
from gustbed_protocol.errors import GustbedError


@dataclass(frozen=True, slots=True)
class Service:
    """A process of the fleet. ``probe`` raises ``GustbedError`` until the service is healthy."""

    name: str
    command: tuple[str, ...]
    address: str
    probe: Callable[[], None]
    port: int | None = None


def services(fleet: Fleet) -> list[Service]:
    """Every service in the order of starting. Raises ``GustbedError`` if a tool is missing."""
    place = fleet.place
    local = _cloud(fleet) if fleet.target == "local" else []
    return [
        Service(
            "broker",
            (mosquitto(), "-c", str(fleet.home / "broker" / "mosquitto.conf")),
            f"mqtt://127.0.0.1:{place.port_mqtt}",
            lambda: probes.tcp("127.0.0.1", place.port_mqtt),
            place.port_mqtt,
        ),
        *local,
        Service(
            "provisioner",
            _python("gustbed_cloud", "provision", "--watch"),
            fleet.environment().get("AWS_ENDPOINT_URL", "AWS"),
            lambda: probes.enrolled(fleet.home / "enrol" / fleet.site.thing),
        ),
        Service(
            "twin",
            _python("gustbed_twin", "run"),
            f"{fleet.site.turbines} turbines on {fleet.site.site}",
            lambda: probes.online(fleet, "twin"),
        ),
        Service(
            "edge",
            _python("gustbed_edge", "run"),
            fleet.edge_url,
            lambda: probes.http(f"{fleet.edge_url}/health"),
            place.port_edge,
        ),
        Service(
            "dashboard",
            _python("gustbed_dashboard"),
            fleet.dashboard_url,
            lambda: probes.http(f"{fleet.dashboard_url}/_stcore/health"),
            place.port_dashboard,
        ),
    ]


def _cloud(fleet: Fleet) -> list[Service]:
    place = fleet.place
    python = str(ROOT / ".venv-emulator" / "bin" / "python")
    scripts = ROOT / "services" / "cloud" / "emulator"
    emulator, registry = (
        f"http://127.0.0.1:{port}" for port in (place.port_aws, place.port_registry)
    )
    return [
        Service(
            "emulator",
            (python, str(scripts / "emulator.py")),
            emulator,
            lambda: probes.http(f"{emulator}/_ministack/health"),
            place.port_aws,
        ),
        Service(
            "registry",
            (python, str(scripts / "registry.py")),
            registry,
            lambda: probes.tcp("127.0.0.1", place.port_registry),
            place.port_registry,
        ),
    ]


def mosquitto() -> str:
    """Path of the Mosquitto broker. Debian keeps it where an ordinary PATH does not look."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise GustbedError(
            "mosquitto is not installed", "install your system's mosquitto package (version 2)"
        )
    return found


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def log_file(fleet: Fleet, service: str) -> Path:
    """Where a service's output goes."""
    return fleet.home / "logs" / f"{service}.log"
