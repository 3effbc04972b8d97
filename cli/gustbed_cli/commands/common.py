"""What commands share."""

import os
from typing import Annotated

import typer

from gustbed_cli.fleet import Fleet, load_fleet

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def fleet_with_cloud() -> Fleet:
    """The running fleet, with this process's environment pointing the AWS SDK at its cloud."""
    return adopt(load_fleet())


def adopt(fleet: Fleet) -> Fleet:
    """Point this process's environment, and so the AWS SDK, at a fleet's cloud."""
    wanted = fleet.environment()
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)
    return fleet
