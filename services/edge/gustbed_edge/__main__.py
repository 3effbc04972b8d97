"""``python -m gustbed_edge``: run the edge gateway, ask for its health, score a recording."""

import argparse
import logging
import os
import signal
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from gustbed_core import codec, edge_http
from gustbed_core.errors import GustbedError
from gustbed_core.jobs import PACKAGE_FILE
from gustbed_core.settings import MqttSettings, SiteSettings, load
from gustbed_edge.settings import EdgeSettings

DONE, FAILED = 0, 1
HEALTH_TIMEOUT = 5.0
DEFAULT_MODEL = "windturbine"
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point. Returns 0 done, 1 failed, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except GustbedError as error:
        sys.stderr.write(f"gustbed-edge: {error}\n")
        return FAILED
    except BrokenPipeError:
        # Whoever read our output has seen enough; flushing at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("gustbed-edge", description="The edge gateway of one site.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the gateway until SIGTERM")
    run.set_defaults(run=_run)
    health = commands.add_parser("health", help="exit 0 if the running gateway is healthy")
    health.set_defaults(run=_health)
    csr = commands.add_parser("csr", help="make key and certificate request; print its path")
    csr.set_defaults(run=_csr)
    score = commands.add_parser(
        "score", help="score a CSV recording (header with channel names), one verdict per step"
    )
    score.add_argument("recording", type=Path)
    score.add_argument(
        "--package", type=Path, help="model package; default: the factory's for miniatures"
    )
    score.add_argument("--json", action="store_true", help="one JSON object per line")
    score.set_defaults(run=_score)
    return parser


def _run(_options: argparse.Namespace) -> int:
    from gustbed_edge.service import Edge

    site, mqtt, settings = load(SiteSettings), load(MqttSettings), load(EdgeSettings)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Edge(site, mqtt, settings).run(stop)
    return DONE


def _health(_options: argparse.Namespace) -> int:
    settings = load(EdgeSettings)
    host = "127.0.0.1" if settings.http_host in ANY_ADDRESS else settings.http_host
    url = f"http://{host}:{settings.http_port}{edge_http.HEALTH}"
    # No proxy: this is our own address, whatever the environment says of others.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=HEALTH_TIMEOUT) as answer:
            sys.stdout.write(answer.read().decode() + "\n")
    except urllib.error.HTTPError as error:
        sys.stdout.write(error.read().decode() + "\n")
        return FAILED
    except OSError as error:
        raise GustbedError(f"{url}: {error}", "is the edge running?") from error
    return DONE


def _csr(_options: argparse.Namespace) -> int:
    from gustbed_edge.composition import open_cloud

    path = open_cloud(load(SiteSettings), load(EdgeSettings)).identity.request()
    sys.stdout.write(f"{path}\n")
    return DONE


def _score(options: argparse.Namespace) -> int:
    from gustbed_edge.scoring.detector import Detector
    from gustbed_edge.scoring.recordings import (
        OfflineVerdict,
        open_package,
        read_recording,
        score_recording,
    )

    factory = load(EdgeSettings).factory_dir
    detector = Detector(open_package(options.package or factory / DEFAULT_MODEL / PACKAGE_FILE))
    values = read_recording(options.recording, detector.manifest)

    def line(verdict: OfflineVerdict) -> str:
        if options.json:
            return codec.encode(verdict).decode()
        score = "-" if verdict.score is None else f"{verdict.score:.3f}"
        return (
            f"{verdict.sample:>8}  {verdict.state:<8}  {score:>8}  {' '.join(verdict.violations)}"
        )

    if not options.json:
        sys.stdout.write(f"{'sample':>8}  {'state':<8}  {'score':>8}  violations\n")
    for verdict in score_recording(values, detector):
        sys.stdout.write(line(verdict) + "\n")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
