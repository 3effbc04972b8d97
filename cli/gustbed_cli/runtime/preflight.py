"""What must be true before processes start. Each failure names the thing and the mend."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable

from gustbed_cli.fleet import Fleet
from gustbed_cli.runtime.services import mosquitto
from gustbed_cloud.aws import open_session, readable_errors
from gustbed_cloud.outputs import stack_outputs
from gustbed_cloud.settings import CloudSettings
from gustbed_core.errors import GustbedError
from gustbed_core.settings import load
from gustbed_core.turbine_types import load_types

_LOCAL_CLOUD = ("aws", "registry", "iot")
"""Ports that only an emulated cloud takes."""


def turbine_types(fleet: Fleet) -> None:
    """A person's own types can be read. Raises ``GustbedError`` naming file and key."""
    if os.environ.get("GUSTBED_TWIN_TYPES"):
        raise GustbedError("GUSTBED_TWIN_TYPES", "it is called GUSTBED_TYPES_DIR since 0.2.0")
    if fleet.site.types_dir is not None:
        load_types(fleet.site.types_dir)


def writable_home(fleet: Fleet) -> None:
    """The state folder can be written. Raises ``GustbedError``."""
    try:
        for folder in (
            fleet.home / "run",
            fleet.home / "logs",
            fleet.enrol_dir,
            fleet.home / "edge",
        ):
            folder.mkdir(parents=True, exist_ok=True)
        probe = fleet.home / "run" / "probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise GustbedError(
            f"{error.filename or fleet.home}: {error.strerror}",
            "make it writable for you, or set GUSTBED_HOME to a folder that is",
        ) from error


def ensure_mosquitto(report: Callable[[str], None]) -> None:
    """Mosquitto is there; on Debian as root it may be installed. Raises ``GustbedError``."""
    try:
        mosquitto()
    except GustbedError:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise
        report("installing the Debian package mosquitto")
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


def free_ports(fleet: Fleet) -> None:
    """Nobody holds the fleet's ports, and no two are one. Raises ``GustbedError`` with the mend."""
    names = ["mqtt", "mqtt_tools", "edge"]
    if fleet.joins is None:
        names += ["dashboard", *(["compat"] if fleet.place.compat else [])]
        names += _LOCAL_CLOUD if fleet.target == "local" else ()
    holders: dict[int, str] = {}
    for name in names:
        variable, port = f"GUSTBED_PORT_{name.upper()}", int(getattr(fleet.place, f"port_{name}"))
        if port in holders:
            raise GustbedError(
                f"port {port} is asked for twice", f"give {holders[port]} and {variable} two ports"
            )
        holders[port] = variable
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise GustbedError(
                    f"port {port} is taken ({error.strerror})",
                    f"stop what holds it, or set {variable} to another",
                ) from error


def aws_reachable() -> None:
    """The standard AWS configuration names credentials that AWS accepts, and a region; and the
    stack is there, for a site does not deploy it.

    Raises ``GustbedError`` naming the variable to set, or the command to run first.
    """
    with readable_errors():
        session = open_session()
        session.client("sts").get_caller_identity()
    settings = load(CloudSettings)
    if not settings.deploy:
        stack_outputs(session, settings.stack)
