"""What commands share."""

import os
from typing import Annotated

import typer

from gustbed_cli.fleet import Fleet, load_fleet

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def fleet_with_cloud() -> Fleet:
    """The fleet, with this process's environment pointing the AWS SDK at its cloud."""
    fleet = load_fleet()
    wanted = fleet.environment()
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)
    return fleet
