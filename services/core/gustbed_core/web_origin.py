"""Which ``Host`` and ``Origin`` a page of ours answers to, so that no foreign page reaches it.

A browser lets a page of ``evil.example`` talk to whatever address that name is made to point at
(DNS rebinding), and open WebSockets anywhere. It cannot lie about the two headers.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from gustbed_core.settings import section

VARIABLE = "GUSTBED_HTTP_ALLOWED_HOSTS"
MISDIRECTED, FORBIDDEN = 421, 403
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,252}[a-z0-9_])?")
_SHOWN = 80


class HttpSettings(BaseSettings):
    """Under which names the pages of this site may be asked for."""

    model_config = section("GUSTBED_HTTP_")

    allowed_hosts: str = Field(
        "", description="host names, comma-separated, beside localhost and the address itself"
    )

    @field_validator("allowed_hosts")
    @classmethod
    def _host_names(cls, value: str) -> str:
        for name in _split(value):
            if not _is_address(name) and not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no host name: give names without scheme and port")
        return value

    @property
    def names(self) -> frozenset[str]:
        """The names, in lower case."""
        return frozenset(_split(self.allowed_hosts))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request gets no answer: the HTTP status, and one line with the remedy."""

    status: int
    line: str


def refusal(
    hosts: Sequence[str], origins: Sequence[str], addresses: Iterable[str], names: frozenset[str]
) -> Refusal | None:
    """Judge a request by all its ``Host`` and ``Origin`` headers; None lets it pass.

    ``addresses`` are where the server listens and where the connection came to. A host must be
    one of them, of ``names`` or of this machine's loopback; an origin must be the same host and
    port, or one of ``names``.
    """
    asked = _authority(hosts[0]) if len(hosts) == 1 else None
    if asked is None or not _is_ours(_hostname(asked), addresses, names):
        given = ", ".join(hosts)[:_SHOWN] or "none"
        remedy = f"open it as localhost or by its address, or add the name to {VARIABLE}"
        return Refusal(MISDIRECTED, f"host {given!r} is not served here: {remedy}")
    for origin in origins:
        if not _is_same(origin, hosts[0], names):
            remedy = f"open this address itself, or add the page's host to {VARIABLE}"
            line = f"a page of {origin[:_SHOWN]!r} may not use this address: {remedy}"
            return Refusal(FORBIDDEN, line)
    return None


def _is_ours(name: str, addresses: Iterable[str], names: frozenset[str]) -> bool:
    if name in names or name == "localhost" or name in map(_plain, addresses):
        return True
    return _is_address(name) and ipaddress.ip_address(name).is_loopback


def _is_same(origin: str, host: str, names: frozenset[str]) -> bool:
    try:
        parts = urlsplit(origin)
        _ = parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or parts.path or parts.query or parts.fragment:
        return False
    return parts.netloc.lower() == host.strip().lower() or _hostname(parts) in names


def _authority(host: str) -> SplitResult | None:
    try:
        parts = urlsplit(f"//{host.strip()}")
        _ = parts.port
    except ValueError:
        return None
    whole = parts.netloc == host.strip() and "@" not in parts.netloc
    return parts if whole and parts.hostname else None


def _hostname(parts: SplitResult) -> str:
    return (parts.hostname or "").rstrip(".")


def _plain(address: str) -> str:
    """An address without its zone, and as IPv4 where a dual-stack socket wraps it."""
    return address.partition("%")[0].removeprefix("::ffff:").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _split(value: str) -> list[str]:
    return [
        name.strip().lower().strip("[]").rstrip(".") for name in value.split(",") if name.strip()
    ]
