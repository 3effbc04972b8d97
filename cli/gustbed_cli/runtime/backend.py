"""What every runtime says of its services, and what it can do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from gustbed_cli.record import Runtime
from gustbed_core.settings import MqttSettings, SiteSettings

State = Literal["healthy", "unhealthy", "starting", "restarting", "stopped"]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A service of the fleet. ``memory_mb`` is its resident memory with its children's.

    ``reason`` is what it, or its probe, says of not being healthy.
    """

    name: str
    state: State
    address: str
    memory_mb: float | None
    restarts: int
    reason: str | None = None


class RuntimeBackend(Protocol):
    """Starts, looks at and stops the fleet."""

    @property
    def name(self) -> Runtime:
        """How it runs them."""

    @property
    def project(self) -> str:
        """The Compose project; empty for processes."""

    def up(self, report: Progress) -> None:
        """Start what is not running; return when all is healthy. Raises ``GustbedError``."""

    def down(self, report: Progress, *, delete_state: bool = False) -> None:
        """Stop what ``up`` started, and nothing else; delete its keys and data if asked."""

    def is_running(self) -> bool:
        """Whether anything of this fleet runs."""

    def enrol(self, thing: str, *options: str) -> int:
        """Answer a device's certificate request; return an exit code."""

    def retire(self, site: SiteSettings) -> None:
        """Take a further site's edge out of the cloud, and the site out of the directory.

        Raises ``GustbedError``.
        """

    def cloud_access(self) -> None:
        """Have the local cloud's key where this machine's tools look for it, if it is to be had."""

    def statuses(self) -> list[ServiceStatus]:
        """The state of every service."""

    def logs(self, service: str | None, *, follow: bool) -> int:
        """Print logs; return an exit code."""

    def read_file(self, service: str, path: str) -> bytes:
        """A file as a service names it. Raises ``GustbedError``."""

    def operator(self) -> MqttSettings:
        """The site broker, with the operator's password."""
