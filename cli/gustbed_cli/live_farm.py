"""Speaks to the farm that runs: commands to turbines, and a checkpoint of it as of now."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gustbed_cli import site
from gustbed_cli.fleet import Fleet, load_fleet
from gustbed_cli.runtime import probes
from gustbed_cli.runtime.selection import current_backend
from gustbed_cli.sites import find_site
from gustbed_core import edge_http
from gustbed_core.commands import Ack, Command
from gustbed_core.commissioning.messages import CommissionAck, CommissionCommand
from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings, load


def started_site(name: str | None = None) -> Fleet:
    """A site of this home's fleet, if it was started and what answers at its edge's address is its
    own. Without a name it is that of ``GUSTBED_SITE``, or the first.

    Raises ``GustbedError``.
    """
    fleet = _started(load_fleet())
    site = find_site(fleet, name or site_of_environment())
    return site if site is fleet else _started(site)


def site_of_environment() -> str | None:
    """The site that ``GUSTBED_SITE`` names, if it is set."""
    settings = load(SiteSettings)
    return settings.site if "site" in settings.model_fields_set else None


def _started(fleet: Fleet) -> Fleet:
    if fleet.record is None and not current_backend(fleet).is_running():
        raise GustbedError(
            f"no fleet was started from {fleet.home}",
            "run `gustbed up`, or set GUSTBED_HOME to the fleet's home",
        )
    probes.require_own(fleet, f"{fleet.edge_url}{edge_http.HEALTH}")
    return fleet


def send_command(turbine: str, command: Command, site_name: str | None = None) -> Ack:
    """Send a command and return how it was accepted. Raises ``GustbedError`` if it was not."""
    fleet = started_site(site_name)
    known = fleet.site.turbine_ids
    if turbine not in known:
        raise GustbedError(
            f"turbine {turbine!r} does not exist", f"use one of {known[0]} to {known[-1]}"
        )
    ack = site.send_command(current_backend(fleet).operator(), fleet.site.site, turbine, command)
    if not ack.accepted:
        raise GustbedError(f"turbine {turbine} refused", ack.reason)
    return ack


def commission(command: CommissionCommand, site_name: str | None = None) -> CommissionAck:
    """Ask the edge to commission turbines, or no longer to. Raises ``GustbedError``."""
    fleet = started_site(site_name)
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


def checkpoint_now(turbine: str | None = None, site_name: str | None = None) -> bytes:
    """A checkpoint of a site's running farm, or of the part that simulates ``turbine``."""
    fleet = started_site(site_name)
    one = turbine or fleet.site.turbine_ids[0]
    ack = send_command(one, Command("checkpoint"), fleet.site.site)
    return current_backend(fleet).read_file("twin", ack.file)


@contextmanager
def checkpoint_file(site_name: str | None = None) -> Iterator[Path]:
    """A site's running farm's checkpoint as a file of one's own, for as long as the context."""
    with tempfile.TemporaryDirectory(prefix="gustbed-") as folder:
        path = Path(folder) / "running.npz"
        path.write_bytes(checkpoint_now(site_name=site_name))
        yield path
