"""What commands share."""

import os
from typing import Annotated

import typer

from gustbed_cli.fleet import Fleet, load_fleet
from gustbed_cli.runtime import probes
from gustbed_cli.runtime.selection import current_backend

SiteOption = Annotated[
    str | None,
    typer.Option("--site", help="A site of the fleet; GUSTBED_SITE or the first if not given."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def fleet_with_cloud() -> Fleet:
    """The running fleet, with this process's environment pointing the AWS SDK at its cloud."""
    fleet = load_fleet()
    if fleet.target == "local" and fleet.record is not None:
        probes.require_own(fleet, f"http://127.0.0.1:{fleet.place.port_aws}/_ministack/ready")
        current_backend(fleet).cloud_access()
    return adopt(fleet)


def adopt(fleet: Fleet) -> Fleet:
    """Point this process's environment, and so the AWS SDK, at a fleet's cloud."""
    wanted = fleet.environment()
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)
    return fleet
