"""Command line: ``python -m gustbed_broker init``."""

import argparse
import os
import sys
from pathlib import Path

from gustbed_broker.compat import CompatBroker
from gustbed_broker.configure import BrokerFiles, Listing, configure
from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings, load


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 done, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser("gustbed-broker", description="Set up a site's Mosquitto.")
    commands = parser.add_subparsers(dest="command", required=True)
    init = commands.add_parser("init", help="write configuration, access list and passwords")
    init.add_argument("--dir", type=Path, default=Path(".gustbed/broker"), help="broker's folder")
    init.add_argument(
        "--credentials",
        type=Path,
        default=Path(".gustbed/credentials"),
        help="folder of <user>.password files; those that exist are kept",
    )
    _add_addresses(init)
    _add_listing(init)
    _add_security(init)
    options = parser.parse_args(arguments)
    try:
        print(configure(_files(options), load(SiteSettings)))
    except GustbedError as error:
        print(f"gustbed-broker: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"gustbed-broker: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _add_addresses(init: argparse.ArgumentParser) -> None:
    init.add_argument("--host", help="address to listen on; all interfaces if not given")
    init.add_argument("--port", type=_port, help="of turbines and the edge: 1883, with TLS 8884")
    init.add_argument(
        "--tools-port", type=_port, help="of operator and twin; the next port if not given"
    )
    init.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="NAME",
        help="what clients call this machine, for its certificate; may be repeated "
        "(or GUSTBED_MQTT_NAMES, with commas)",
    )
    init.add_argument(
        "--compat-dir",
        type=Path,
        help="also write there a broker for applications of the reference systems",
    )
    init.add_argument("--compat-port", type=_port, default=1885, help="that it listens on")
    init.add_argument(
        "--compat-host", default="127.0.0.1", help="address that it listens on; '' for all"
    )
    init.add_argument(
        "--compat-site", default="127.0.0.1", help="name by which it reaches the site's broker"
    )


def _add_listing(init: argparse.ArgumentParser) -> None:
    init.add_argument(
        "--directory",
        type=Path,
        help="also list the site there, for dashboards, with the operator's password",
    )
    init.add_argument("--listed-host", default="127.0.0.1", help="what they are to call the broker")
    init.add_argument(
        "--listed-edge", default="http://127.0.0.1:8070", help="the address of the edge's HTTP"
    )


def _add_security(init: argparse.ArgumentParser) -> None:
    init.add_argument(
        "--anonymous", action="store_true", help="development profile: no passwords, no ACL"
    )
    init.add_argument("--tls", action="store_true", help="TLS on this machine's own address too")
    init.add_argument(
        "--plaintext",
        action="store_true",
        help="no TLS; on other addresses than this machine's own only with --anonymous",
    )
    init.add_argument(
        "--certificates",
        action="store_true",
        help="machines show a certificate of their own, written beside their passwords",
    )
    init.add_argument("--renew-ca", action="store_true", help="make a new CA and all it signs")
    init.add_argument(
        "--shared-twin",
        action="store_true",
        default=os.environ.get("GUSTBED_TWIN_CONNECTION") == "shared",
        help="let the twin speak for all turbines (or GUSTBED_TWIN_CONNECTION=shared)",
    )


def _files(options: argparse.Namespace) -> BrokerFiles:
    named = os.environ.get("GUSTBED_MQTT_NAMES", "").split(",")
    compat = None
    if options.compat_dir is not None:
        host, port = options.compat_host or None, options.compat_port
        compat = CompatBroker(options.compat_dir, host, port, options.compat_site)
    listing = None
    if options.directory is not None:
        listing = Listing(options.directory, options.listed_host, options.listed_edge)
    return BrokerFiles(
        options.dir,
        options.credentials,
        options.host,
        options.port,
        options.anonymous,
        options.shared_twin,
        tools_port=options.tools_port,
        tls=options.tls,
        plaintext=options.plaintext,
        names=(*options.name, *(name.strip() for name in named if name.strip())),
        client_certificates=options.certificates,
        renew_ca=options.renew_ca,
        compat=compat,
        listing=listing,
    )


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65_535:
        raise argparse.ArgumentTypeError(f"{port} is not between 1 and 65534")
    return port


if __name__ == "__main__":
    sys.exit(main())
