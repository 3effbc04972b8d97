"""The sites of a fleet: its first, with which its cloud and dashboard run, and those that joined.

A further site has a folder of its own in the fleet's home, with its record, keys, buffers and logs.
"""

import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import structs

from gustbed_cli.fleet import Fleet, addresses_of, joined
from gustbed_cli.record import Record, read_record
from gustbed_core.errors import GustbedError
from gustbed_core.naming import natural
from gustbed_core.topics import level

FOLDER = "sites"
OWN_PORTS = ("port_mqtt", "port_mqtt_tools", "port_edge")
"""Settings of the ports that a further site has of its own."""
PORT_STEP = 10
"""Between the brokers of two sites, where nothing else is in the way."""
_LAST_PORT = 65_535


def sites_of(fleet: Fleet) -> list[Fleet]:
    """The fleet's first site and those that joined it, as a person counts."""
    return [fleet.first, *_further(fleet.first)]


def find_site(fleet: Fleet, name: str | None) -> Fleet:
    """A site by name; the first if none is given. Raises ``GustbedError`` naming what there is."""
    found = sites_of(fleet)
    for site in found:
        if name in (None, site.site.site):
            return site
    known = ", ".join(site.site.site for site in found)
    raise GustbedError(f"site {name!r} does not exist", f"`gustbed site add` it, or use {known}")


def new_record(
    fleet: Fleet,
    name: str,
    *,
    turbines: int,
    turbine_type: str = "",
    twin: bool = True,
    besides: Sequence[Mapping[str, int | str]] = (),
) -> Record:
    """How a site would join a fleet that was started, with ports of its own.

    ``besides`` are the addresses of sites that are about to join, too.

    Raises ``GustbedError`` for a name that is taken or none.
    """
    record = fleet.record
    if record is None:
        raise GustbedError(f"no fleet was started from {fleet.home}", "run `gustbed up` first")
    try:
        level(name)
    except ValueError as error:
        raise GustbedError("site", str(error)) from error
    # A file system or a name service may not tell the one from the other.
    if name.lower() in {site.site.site.lower() for site in sites_of(fleet)}:
        raise GustbedError(f"site {name!r} is there already", "see `gustbed site list`")
    return Record(
        runtime=record.runtime,
        target=record.target,
        site=name,
        turbines=turbines,
        addresses=_ports(sites_of(fleet), besides),
        fleet=record.fleet,
        checkout=record.checkout,
        project=record.project,
        joins=str(fleet.home),
        twin=twin,
        turbine_type=turbine_type,
    )


def home_of(fleet: Fleet, name: str) -> Path:
    """The folder of a further site."""
    return fleet.home / FOLDER / name


def next_names(fleet: Fleet, count: int) -> list[str]:
    """Names for the further sites that make ``count`` with those that are there."""
    taken = {site.site.site for site in sites_of(fleet)}
    stem = re.sub(r"-?\d+$", "", fleet.site.site) or "site"
    names = (f"{stem}-{number}" for number in range(2, 2 * count + len(taken) + 2))
    free = [name for name in names if name not in taken]
    return free[: max(0, count - len(taken))]


def _further(fleet: Fleet) -> Iterator[Fleet]:
    folders = (fleet.home / FOLDER).glob("*")
    for home in sorted(folders, key=lambda folder: natural(folder.name)):
        record = read_record(home)
        if record is not None:
            yield joined(fleet, home, record)


def refreshed(now: Record, site: Fleet, record: Record) -> Record:
    """A further site's record for a fleet that was started anew, as ``now`` says: it runs as the
    fleet does, and where a port of its own was taken meanwhile, on other ones.
    """
    own = {name: getattr(site.place, name) for name in OWN_PORTS}
    if not all(map(_is_free, own.values())):
        others = [each for each in sites_of(site.first) if each.home != site.home]
        own = _ports(others, [])
    return structs.replace(
        record,
        runtime=now.runtime,
        target=now.target,
        addresses=own,
        fleet=now.fleet,
        checkout=now.checkout,
        project=now.project,
    )


def _ports(
    sites: Sequence[Fleet], besides: Sequence[Mapping[str, int | str]]
) -> dict[str, int | str]:
    """Ports beside those of the sites that are there and of whatever listens on this machine."""
    addresses = [*(addresses_of(site.place) for site in sites), *besides]
    taken = {port for each in addresses for port in each.values()}
    number = len(addresses)
    fleet = sites[0]
    mqtt = _free(fleet.place.port_mqtt + PORT_STEP * number, taken, 2)
    edge = _free(fleet.place.port_edge + number, taken | {mqtt, mqtt + 1}, 1)
    return dict(zip(OWN_PORTS, (mqtt, mqtt + 1, edge), strict=True))


def _free(port: int, taken: set[int | str], count: int) -> int:
    """The first of ``count`` neighbouring ports that nobody has, from ``port`` on."""
    while port + count <= _LAST_PORT:
        wanted = range(port, port + count)
        if not taken.intersection(wanted) and all(map(_is_free, wanted)):
            return port
        port += 1
    raise GustbedError("no port is free for another site", "remove one, or choose lower ports")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
