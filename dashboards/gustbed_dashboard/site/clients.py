"""The clients of all sites: one of the environment, or those of a directory as they come and go."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gustbed_core.errors import GustbedError
from gustbed_core.naming import natural
from gustbed_core.site_directory import FILE, KnownSite
from gustbed_core.worker import Worker
from gustbed_dashboard.settings import EdgeSettings
from gustbed_dashboard.site import directory as directories
from gustbed_dashboard.site.client import SiteClient, make_site_client
from gustbed_dashboard.site.directory import FoundSite, Listing, Stamp

LOOK_SECONDS = 1.0
STOP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Sites:
    """The running client of each site in natural order of names, and what is wrong, a line each."""

    clients: Mapping[str, SiteClient] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


class SiteClients(Worker):
    """Starts a client for every site of a directory and stops those of sites that went.

    A client is made anew when a file changes that it was made by. Of an entry that can no longer
    be read the client runs on.
    """

    def __init__(self, directory: Path, make: Callable[[KnownSite], SiteClient]) -> None:
        super().__init__("gustbed-sites")
        self._directory = directory
        self._make = make
        self._stamp: Stamp | None = None
        self._made: dict[str, FoundSite] = {}
        self._sites = Sites()

    def sites(self) -> Sites:
        """What is known now."""
        return self._sites

    def turn(self) -> float:
        """Look from time to time."""
        self.look()
        return LOOK_SECONDS

    def look(self) -> None:
        """Take up what has changed. Not to be called by two threads at once."""
        try:
            stamp = directories.stamp(self._directory)
            if stamp == self._stamp and not self._sites.problems:
                return
            listing = directories.read(self._directory)
        except GustbedError as error:
            self._sites = Sites(self._sites.clients, (str(error),))
            return
        self._stamp = stamp
        self._take(listing)

    def finish(self) -> None:
        """Stop every client."""
        clients = list(self._sites.clients.values())
        deadline = time.monotonic() + STOP_SECONDS
        for client in clients:
            client.stop(0.0)
        for client in clients:
            client.stop(max(0.0, deadline - time.monotonic()))

    def _take(self, listing: Listing) -> None:
        before, problems = self._sites.clients, list(listing.broken.values())
        after: dict[str, SiteClient] = {}
        for name, found in listing.sites.items():
            if name in before and self._made[name] == found:
                after[name] = before[name]
                continue
            try:
                client = self._make(found.known)
            except GustbedError as error:
                problems.append(f"{name}: {error}")
                continue
            client.start()
            self._made[name], after[name] = found, client
        after |= {name: before[name] for name in listing.broken if name in before}
        if not after and not problems:
            problems.append(
                f"No site is known yet: {self._directory} holds none. `gustbed up` sets one up."
                " Looking again by itself."
            )
        ordered = {name: after[name] for name in sorted(after, key=natural)}
        self._sites = Sites(ordered, tuple(problems))
        for name, client in before.items():
            if after.get(name) is not client:
                # Without waiting: it may be asking an edge that no longer answers.
                client.stop(0.0)


def client_of(known: KnownSite) -> SiteClient:
    """A client for a site of a directory; not started yet. Raises ``GustbedError``."""
    edge_url = EdgeSettings(url=known.entry.edge_url).url
    named = f"{known.folder / FILE} names its address"
    return make_site_client(known.settings, known.mqtt(), edge_url, named)
