"""Command line: ``python -m gustbed_broker init``."""

import argparse
import os
import sys
from pathlib import Path

from gustbed_broker.configure import BrokerFiles, configure
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
    init.add_argument("--host", help="address to listen on; all interfaces if not given")
    init.add_argument("--port", type=int, default=1883)
    init.add_argument(
        "--anonymous", action="store_true", help="development profile: no passwords, no ACL"
    )
    init.add_argument(
        "--shared-twin",
        action="store_true",
        default=os.environ.get("GUSTBED_TWIN_CONNECTION") == "shared",
        help="let the twin speak for all turbines (or GUSTBED_TWIN_CONNECTION=shared)",
    )
    options = parser.parse_args(arguments)
    files = BrokerFiles(
        options.dir,
        options.credentials,
        options.host,
        options.port,
        options.anonymous,
        options.shared_twin,
    )
    try:
        print(configure(files, load(SiteSettings)))
    except GustbedError as error:
        print(f"gustbed-broker: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"gustbed-broker: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
