"""``gustbed jobs``, ``gustbed enrol`` and ``gustbed deploy``."""

from typing import Annotated

import typer

from gustbed_cli import output
from gustbed_cli.commands.common import JsonOption, fleet_with_cloud
from gustbed_cloud import operations
from gustbed_cloud.__main__ import main as cloud_main


def jobs(json: JsonOption = False) -> None:
    """List rollouts and how they stand on every edge."""
    fleet_with_cloud()
    found = operations.list_jobs(operations.connect())
    if json:
        output.emit_json(found)
        return
    output.table(
        "Rollouts",
        ["job", "model", "status", "edge", "edge's status", "reason"],
        (
            (job.id, f"{job.name} {job.version}", job.status, e.thing, e.status, e.reason or None)
            for job in found
            for e in job.executions
        ),
    )


def enrol(
    thing: Annotated[str, typer.Argument(help="The edge's thing name, gustbed-site-1 say.")],
) -> None:
    """Give an edge its certificate: answers the request in the enrolment folder."""
    fleet_with_cloud()
    raise typer.Exit(cloud_main(["enrol", thing]))


def deploy() -> None:
    """Create or update the cloud's stack."""
    fleet_with_cloud()
    raise typer.Exit(cloud_main(["deploy"]))
