"""Whether a signed order is for this edge, now, and not one that has had its turn.

All of it is decided before any network access. The last order that was accepted about each model
and role is on disk before anything is done about it, so that an older one is never followed again.
"""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from gustbed_core.jobs import THING_TARGET, Release
from gustbed_core.package import PackageError
from gustbed_edge.files import write_atomic
from gustbed_edge.models.signatures import Keys

log = logging.getLogger(__name__)

FILE = "orders.json"
CLOCK_TOLERANCE = 3600
"""Seconds that this edge's clock may be behind that of whoever signed."""
_PLAIN = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Trust:
    """Whom this edge obeys. ``targets`` are the thing groups whose orders are for it, besides its
    own name; ``downloads`` the hosts, with a port as in the URL, that packages may come from.
    """

    keys: Keys
    thing: str
    targets: tuple[str, ...] = ()
    downloads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Accepted:
    sequence: int
    version: str
    sha256: str


def check_order(release: Release, url: str, trust: Trust, now: float) -> None:
    """Whether an order whose signature is right may be followed at Unix time ``now``.

    Raises ``PackageError`` with reason ``wrong_target``, ``wrong_clock``, ``expired``,
    ``foreign_host`` or ``bad_url``.
    """
    title = f"{release.name} {release.version}"
    if release.target not in (f"{THING_TARGET}{trust.thing}", *trust.targets):
        obeyed = ", ".join((trust.thing, *trust.targets))
        raise PackageError(
            "wrong_target", f"{title} is for {release.target[:80]!r}, not for {obeyed}"
        )
    if now < release.issued - CLOCK_TOLERANCE:
        raise PackageError(
            "wrong_clock",
            f"this edge's clock says {_utc(now)}, but {title} was signed at "
            f"{_utc(release.issued)}: set the clock, then approve it again",
        )
    if now > release.expires:
        raise PackageError(
            "expired",
            f"{title} had to be installed by {_utc(release.expires)}, it is {_utc(now)} by this "
            "edge's clock: approve it again, or set the clock",
        )
    require_host(url, trust.downloads)


def require_host(url: str, hosts: Iterable[str]) -> None:
    """Raises ``PackageError`` ``bad_url`` or ``foreign_host`` unless an address may be fetched."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("https", "http") or not _PLAIN.fullmatch(url):
        raise PackageError("bad_url", f"not an HTTP(S) address: {url[:60]!r}")
    if parts.netloc.lower() not in hosts:
        allowed = ", ".join(hosts) or "none: enrol this edge again"
        raise PackageError(
            "foreign_host", f"packages do not come from {parts.netloc[:80]!r}; allowed: {allowed}"
        )


class OrderBook:
    """The last order accepted about each model, by role. Used by one thread."""

    def __init__(self, folder: Path, installed: Iterable[Release] = ()) -> None:
        self._path = folder / FILE
        self._accepted = self._read()
        # Should the file be lost, what is installed still says what was ordered last.
        for release in installed:
            last = self._last(release)
            if release.is_order and (last is None or last.sequence < release.sequence):
                self._accepted = self._with(release)

    def accept(self, release: Release) -> None:
        """Write an order down, to be followed; the same one again changes nothing.

        Raises ``PackageError`` with reason ``replayed`` for an earlier one, ``OSError`` if the
        disk refuses.
        """
        last = self._last(release)
        if last == _accepted(release):
            return
        if last is not None and release.sequence <= last.sequence:
            raise PackageError(
                "replayed",
                f"{release.name} {release.version} is order {release.sequence}; order "
                f"{last.sequence} ({last.version}) came after it: approve it again",
            )
        accepted = self._with(release)
        write_atomic(self._path, msgspec.json.encode(accepted))
        self._accepted = accepted

    def _last(self, release: Release) -> _Accepted | None:
        return self._accepted.get(release.name, {}).get(release.role)

    def _with(self, release: Release) -> dict[str, dict[str, _Accepted]]:
        of_model = self._accepted.get(release.name, {}) | {release.role: _accepted(release)}
        return self._accepted | {release.name: of_model}

    def _read(self) -> dict[str, dict[str, _Accepted]]:
        try:
            return msgspec.json.decode(
                self._path.read_bytes(), type=dict[str, dict[str, _Accepted]]
            )
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError) as error:
            log.error("%s: %s; going by what is installed", self._path, error)  # noqa: TRY400
            return {}


def _accepted(release: Release) -> _Accepted:
    return _Accepted(release.sequence, release.version, release.sha256)


def _utc(moment: float) -> str:
    try:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{moment:g}"
