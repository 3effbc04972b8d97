"""Starts and stops the sites that have joined a fleet."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from gustbed_cli.fleet import Fleet, joined
from gustbed_cli.record import Record, write_record
from gustbed_cli.runtime.backend import Progress
from gustbed_cli.runtime.selection import current_backend
from gustbed_cli.sites import home_of, refreshed, sites_of
from gustbed_core.errors import GustbedError

AT_ONCE = 4
"""Sites that start at a time: each start takes seconds of a core."""


def add(fleet: Fleet, record: Record, report: Progress) -> Fleet:
    """Start a new site, and leave nothing of it if it cannot start. Raises ``GustbedError``."""
    try:
        return start(fleet, record, report)
    except BaseException:
        # What it failed of is told; what cannot be cleaned up now, `gustbed site remove` does.
        with suppress(GustbedError):
            remove(joined(fleet, home_of(fleet, record.site), record), report)
        raise


def start(fleet: Fleet, record: Record, report: Progress) -> Fleet:
    """Start a site as its record says, or bring one that runs up to it. Raises ``GustbedError``."""
    home = home_of(fleet, record.site)
    write_record(home, record)
    site = joined(fleet, home, record)
    _start(site, report)
    return site


def start_all(fleet: Fleet, records: Sequence[Record], report: Progress) -> None:
    """Start the sites that have joined, and new ones. Raises the first ``GustbedError``."""
    for site in sites_of(fleet)[1:]:
        stopped = not current_backend(site).is_running()
        if stopped and fleet.record is not None and site.record is not None:
            write_record(site.home, refreshed(fleet.record, site, site.record))
    for record in records:
        write_record(home_of(fleet, record.site), record)
    _together(lambda site: _start(site, report), sites_of(fleet)[1:])


def stop_all(fleet: Fleet, report: Progress, *, delete_state: bool) -> None:
    """Stop the sites that have joined; delete what is theirs if asked."""

    def stop(site: Fleet) -> None:
        current_backend(site).down(_named(site, report), delete_state=delete_state)

    _together(stop, sites_of(fleet)[1:])


def remove(site: Fleet, report: Progress) -> None:
    """Stop a site, take its edge's identity away and delete what is its own.

    Raises ``GustbedError``.
    """
    backend = current_backend(site)
    backend.down(_named(site, report))
    # Before its record goes: what fails here can be done again.
    current_backend(site.first).retire(site.site)
    backend.down(_named(site, report), delete_state=True)


def _together(work: Callable[[Fleet], None], sites: Sequence[Fleet]) -> None:
    """Do something to several sites at a time; raises the first failure when all are done."""
    with ThreadPoolExecutor(AT_ONCE, "gustbed-site") as pool:
        everything = [pool.submit(work, site) for site in sites]
    for done in everything:
        done.result()


def _start(site: Fleet, report: Progress) -> None:
    backend = current_backend(site)
    backend.up(_named(site, report))
    if site.environment().get("GUSTBED_ENROL") != "any":
        # Who lets a site join has said so, and nobody else need say it again.
        current_backend(site.first).enrol(site.site.thing)


def _named(site: Fleet, report: Progress) -> Progress:
    def tell(line: str) -> None:
        report(f"{site.site.site}: {line}")

    return tell
