"""``python -m gustbed_dashboard [run|health]``."""

import argparse
import socket
import sys
import urllib.request

from gustbed_core.errors import GustbedError
from gustbed_core.settings import MqttSettings, SiteSettings, load
from gustbed_core.web_origin import HttpSettings
from gustbed_dashboard.settings import DashboardSettings, EdgeSettings

HEALTH = "/_stcore/health"
_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 done, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser("gustbed-dashboard", description="The operator's view.")
    parser.add_argument(
        "command",
        nargs="?",
        choices=("run", "health"),
        default="run",
        help="run serves the pages; health asks a running dashboard and exits 0 or 1",
    )
    options = parser.parse_args(arguments)
    try:
        settings = load(DashboardSettings)
        if options.command == "health":
            check_health(settings)
        else:
            for section in (SiteSettings, MqttSettings, EdgeSettings):
                load(section)
            names = load(HttpSettings).names
            check_free(settings)
            serve(settings, names)
    except GustbedError as error:
        print(f"gustbed-dashboard: {error}", file=sys.stderr)
        return 1
    return 0


def check_health(settings: DashboardSettings) -> None:
    """Raises ``GustbedError`` unless the dashboard answers within 3 s."""
    host = _EVERY_INTERFACE.get(settings.host, settings.host)
    address = f"http://{host}:{settings.port}{HEALTH}"
    # No proxy: this is our own address, whatever the environment says of others.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=3) as answer:
            answer.read()
    except OSError as error:
        raise GustbedError(f"{address}: {error}", "is the dashboard running?") from error


def check_free(settings: DashboardSettings) -> None:
    """Raises ``GustbedError`` if the address cannot be listened on."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise GustbedError(
                f"{settings.host}:{settings.port}: {error.strerror}",
                "set GUSTBED_DASHBOARD_HOST and GUSTBED_DASHBOARD_PORT to a free address",
            ) from error


def serve(settings: DashboardSettings, names: frozenset[str]) -> None:
    """Serve the pages until SIGTERM or SIGINT.

    Sites' clients start first and in this process: the first viewer already finds a history.
    """
    from gustbed_dashboard import server
    from gustbed_dashboard.views import resources

    resources.sites()
    server.serve(settings, names)


if __name__ == "__main__":
    sys.exit(main())
