"""The site broker's users and what each may read and write."""

from collections.abc import Iterable
from dataclasses import dataclass

from gustbed_core import topics
from gustbed_core.settings import TOOLS
from gustbed_core.site_directory import OPERATOR

TWIN, EDGE, LEGACY = "twin", "edge", "legacy"
REFERENCE = "reference"
"""The bridge to the broker of the reference systems' applications."""


@dataclass(frozen=True, slots=True)
class Client:
    """A broker user with the topic filters it may read and write."""

    user: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()

    @property
    def is_tool(self) -> bool:
        """Whether many sessions of it may run at once, on the tools' listener."""
        return self.user in TOOLS


def clients(site: str, turbines: Iterable[str], *, shared_twin: bool = False) -> list[Client]:
    """Every client of a site. A turbine speaks and listens only as itself.

    ``shared_twin`` lets the twin speak for all turbines over one session, which thousands of
    simulated turbines need; a site of real machines never grants it.
    """
    twin = Client(TWIN, writes=(topics.state(site, TWIN),))
    if shared_twin:
        spoken = ("telemetry", "command/ack", "reported", "truth")
        twin = Client(
            TWIN,
            reads=tuple(topics.every(kind, site) for kind in ("command", "desired")),
            writes=(*twin.writes, *(topics.every(kind, site) for kind in spoken)),
        )
    return [
        *(
            Client(
                turbine,
                reads=(topics.command(site, turbine), topics.desired(site, turbine)),
                writes=(
                    topics.telemetry(site, turbine),
                    topics.command_ack(site, turbine),
                    topics.reported(site, turbine),
                    topics.truth(site, turbine),
                ),
            )
            for turbine in turbines
        ),
        twin,
        Client(
            EDGE,
            reads=(
                topics.every("telemetry", site),
                topics.every("reported", site),
                topics.every("mirror", site),
                topics.every("mirror/event", site),
                topics.LEGACY_RAW,
                topics.commission(site),
            ),
            writes=(
                topics.every("verdict", site),
                topics.every("shadow-verdict", site),
                topics.every("event", site),
                topics.every("command", site),
                topics.every("desired", site),
                topics.state(site, EDGE),
                topics.heartbeat(site),
                topics.commission_ack(site),
            ),
        ),
        Client(
            OPERATOR,
            reads=(f"{topics.ROOT}/{site}/#",),
            writes=(
                topics.commission(site),
                *(
                    topics.every(kind, site)
                    for kind in ("command", "desired", "mirror", "mirror/event")
                ),
            ),
        ),
        *(
            Client(user, reads=(topics.LEGACY_RAW,), writes=(topics.LEGACY_RAW,))
            for user in (LEGACY, REFERENCE)
        ),
    ]


def acl_file(everyone: Iterable[Client]) -> str:
    """Mosquitto's ACL file: what is not listed is refused."""
    lines = ["# Written by gustbed_broker; changes are lost."]
    for client in everyone:
        lines += ["", f"user {client.user}"]
        lines += [f"topic read {topic}" for topic in client.reads]
        lines += [f"topic write {topic}" for topic in client.writes]
    return "\n".join(lines) + "\n"
