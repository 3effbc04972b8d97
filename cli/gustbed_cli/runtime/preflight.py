"""What must be true before processes start. Each failure names the thing and the mend."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable

from gustbed_cli.fleet import ROOT, Fleet
from gustbed_cli.runtime.services import Service, mosquitto
from gustbed_protocol.errors import GustbedError

_PORT_VARIABLES = {
    "broker": "GUSTBED_PORT_MQTT",
    "emulator": "GUSTBED_PORT_AWS",
    "registry": "GUSTBED_PORT_REGISTRY",
    "edge": "GUSTBED_PORT_EDGE",
    "dashboard": "GUSTBED_PORT_DASHBOARD",
}


def writable_home(fleet: Fleet) -> None:
    """The state folder can be written. Raises ``GustbedError``."""
    try:
        for name in ("run", "logs", "enrol", "edge"):
            (fleet.home / name).mkdir(parents=True, exist_ok=True)
        probe = fleet.home / "run" / "probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise GustbedError(
            f"{error.filename or fleet.home}: {error.strerror}",
            "make it writable for you, or set GUSTBED_HOME to a folder that is",
        ) from error


def emulator_installed(fleet: Fleet) -> None:
    """The emulator's environment is there, if the fleet needs it. Raises ``GustbedError``."""
    python = ROOT / ".venv-emulator" / "bin" / "python"
    if fleet.target == "local" and not python.exists():
        raise GustbedError(f"{python} is missing", "run `make setup`")


def ensure_mosquitto(say: Callable[[str], None]) -> None:
    """Mosquitto is there; on Debian as root it may be installed. Raises ``GustbedError``."""
    try:
        mosquitto()
    except GustbedError:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise
        say("installing the Debian package mosquitto")
        _install_mosquitto()
        mosquitto()


def _install_mosquitto() -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "mosquitto"]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last_words = done.stderr.strip().splitlines()[-1:]
            raise GustbedError(
                f"{' '.join(command)} failed: {' '.join(last_words)[:300]}",
                "install the mosquitto package yourself",
            )
    # Debian starts it as a service on the very port that the fleet's own broker needs.
    if shutil.which("systemctl"):
        subprocess.run(
            ["systemctl", "disable", "--now", "mosquitto"], capture_output=True, check=False
        )


def free_ports(fleet: Fleet, services: list[Service]) -> None:
    """Nobody else holds the fleet's ports. Raises ``GustbedError`` naming port and variable."""
    wanted = [(service.name, service.port) for service in services if service.port]
    if fleet.target == "local":
        wanted.append(("emulator's MQTT listener", fleet.place.port_iot))
    for name, port in wanted:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                variable = _PORT_VARIABLES.get(name, "GUSTBED_PORT_IOT")
                raise GustbedError(
                    f"port {port} for the {name} is taken ({error.strerror})",
                    f"stop what holds it, or set {variable} to another",
                ) from error
