"""Speaks to the farm that runs: commands to turbines, and a checkpoint of it as of now."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gustbed_cli import site
from gustbed_cli.fleet import Fleet, load_fleet
from gustbed_cli.runtime import probes
from gustbed_cli.runtime.selection import current_backend
from gustbed_core import edge_http
from gustbed_core.commands import Ack, Command
from gustbed_core.commissioning.messages import CommissionAck, CommissionCommand
from gustbed_core.errors import GustbedError


def started_fleet() -> Fleet:
    """The fleet of this home, if it was started and what answers at its edge's address is its own.

    Raises ``GustbedError``.
    """
    fleet = load_fleet()
    if fleet.record is None and not current_backend(fleet).is_running():
        raise GustbedError(
            f"no fleet was started from {fleet.home}",
            "run `gustbed up`, or set GUSTBED_HOME to the fleet's home",
        )
    probes.require_own(fleet, f"{fleet.edge_url}{edge_http.HEALTH}")
    return fleet


def send_command(turbine: str, command: Command) -> Ack:
    """Send a command and return how it was accepted. Raises ``GustbedError`` if it was not."""
    fleet = started_fleet()
    known = fleet.site.turbine_ids
    if turbine not in known:
        raise GustbedError(
            f"turbine {turbine!r} does not exist", f"use one of {known[0]} to {known[-1]}"
        )
    ack = site.send_command(current_backend(fleet).operator(), fleet.site.site, turbine, command)
    if not ack.accepted:
        raise GustbedError(f"turbine {turbine} refused", ack.reason)
    return ack


def commission(command: CommissionCommand) -> CommissionAck:
    """Ask the edge to commission turbines, or no longer to. Raises ``GustbedError``."""
    fleet = started_fleet()
    return site.commission(current_backend(fleet).operator(), fleet.site.site, command)


def is_running() -> bool:
    """Whether the fleet that was last started here has a broker to speak to."""
    fleet = load_fleet()
    if fleet.record is None:
        return False
    try:
        probes.tcp("127.0.0.1", fleet.place.port_mqtt)
    except GustbedError:
        return False
    return True


def checkpoint_now(turbine: str | None = None) -> bytes:
    """A checkpoint of the running farm, or of the part that simulates ``turbine``."""
    fleet = started_fleet()
    ack = send_command(turbine or fleet.site.turbine_ids[0], Command("checkpoint"))
    return current_backend(fleet).read_file("twin", ack.file)


@contextmanager
def checkpoint_file(turbine: str | None = None) -> Iterator[Path]:
    """The running farm's checkpoint as a file of one's own, for as long as the context."""
    with tempfile.TemporaryDirectory(prefix="gustbed-") as folder:
        path = Path(folder) / "running.npz"
        path.write_bytes(checkpoint_now(turbine))
        yield path
