"""The cloud through ``gustbed_cloud.operations``, in the dashboard's own words."""

from gustbed_dashboard.cloud import Cloud
from gustbed_protocol.errors import GustbedError


def connect() -> Cloud:
    """A client from the standard AWS configuration. Raises ``GustbedError``."""
    raise GustbedError("cloud: not wired yet", "wait for gustbed_cloud.operations")
