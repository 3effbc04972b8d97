"""What is on its way to the cloud, put together: the outbox, who fills it and who empties it."""

from dataclasses import dataclass

from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings
from gustbed_edge.cloud.ports import Uplink
from gustbed_edge.disk import Disk
from gustbed_edge.outbox.backlog import Backlog
from gustbed_edge.outbox.policy import UplinkPolicy, full_turbines
from gustbed_edge.outbox.sender import Sender
from gustbed_edge.outbox.store import Outbox
from gustbed_edge.settings import EdgeSettings


@dataclass(frozen=True)
class Outgoing:
    """The store, what goes into it, what takes it away, and how far that is behind."""

    outbox: Outbox
    policy: UplinkPolicy
    sender: Sender
    backlog: Backlog


def open_outbox(settings: EdgeSettings) -> Outbox:
    """The store of events and of what waits."""
    return Outbox(
        settings.data_dir,
        max_bytes=settings.outbox_max_bytes,
        max_rows=settings.outbox_max_rows,
        events_kept=settings.events_kept,
        disk=Disk(),
    )


def outgoing(site: SiteSettings, settings: EdgeSettings, outbox: Outbox, link: Uplink) -> Outgoing:
    """Put together what leads from an outbox to the cloud. Raises ``GustbedError``."""
    sender = Sender(
        outbox,
        link,
        thing=site.thing,
        site=site.site,
        verdict_interval=settings.verdict_interval,
        telemetry_interval=settings.telemetry_interval,
        max_rate=settings.uplink_max_rate,
    )
    backlog = Backlog(outbox, sender, lambda: link.connected)
    return Outgoing(outbox, _policy(site, settings), sender, backlog)


def _policy(site: SiteSettings, settings: EdgeSettings) -> UplinkPolicy:
    try:
        full = full_turbines(settings.uplink, site.turbine_ids)
    except ValueError as error:
        raise GustbedError(
            f"GUSTBED_EDGE_UPLINK: {error}", "give changes, full, or names of turbines"
        ) from error
    return UplinkPolicy(site.turbine_ids, interval=settings.telemetry_interval, full=full)
