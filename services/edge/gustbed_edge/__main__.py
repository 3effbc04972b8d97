"""``python -m gustbed_edge``: run the edge gateway, ask for its health, score a recording."""

import argparse
import logging
import signal
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence

from gustbed_edge.settings import EdgeSettings
from gustbed_protocol.errors import GustbedError
from gustbed_protocol.settings import MqttSettings, SiteSettings, load


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point. Returns 0 done, 1 failed, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except GustbedError as error:
        sys.stderr.write(f"gustbed-edge: {error}\n")
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("gustbed-edge", description="The edge gateway of one site.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the gateway until SIGTERM")
    run.set_defaults(run=_run)
    health = commands.add_parser("health", help="exit 0 if the running gateway is healthy")
    health.set_defaults(run=_health)
    return parser


def _run(_options: argparse.Namespace) -> int:
    from gustbed_edge.service import Edge

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Edge(load(SiteSettings), load(MqttSettings), load(EdgeSettings)).run(stop)
    return 0


def _health(_options: argparse.Namespace) -> int:
    settings = load(EdgeSettings)
    host = "127.0.0.1" if settings.http_host in ("0.0.0.0", "::") else settings.http_host  # noqa: S104
    url = f"http://{host}:{settings.http_port}/health"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            sys.stdout.write(answer.read().decode() + "\n")
    except urllib.error.HTTPError as error:
        sys.stdout.write(error.read().decode() + "\n")
        return 1
    except OSError as error:
        raise GustbedError(f"{url}: {error}", "is the edge running?") from error
    return 0


if __name__ == "__main__":
    sys.exit(main())
