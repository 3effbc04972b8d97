"""``gustbed jobs``, ``gustbed enrol`` and ``gustbed deploy``."""

from typing import Annotated

import typer

from gustbed_cli import output
from gustbed_cli.commands.common import JsonOption, fleet_with_cloud
from gustbed_cli.runtime.selection import current_backend
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
        ["job", "model", "role", "status", "edge", "edge's status", "reason"],
        (
            (
                job.id,
                f"{job.name} {job.version}",
                job.role,
                job.status,
                e.thing,
                e.status,
                explain(e),
            )
            for job in found
            for e in job.executions
        ),
    )


def enrol(
    thing: Annotated[str, typer.Argument(help="The edge's thing name, gustbed-site-1 say.")],
    json: JsonOption = False,
) -> None:
    """Give an edge its certificate: answers the request in the enrolment folder."""
    code = current_backend(fleet_with_cloud()).enrol(thing)
    if json:
        output.emit_json({"thing": thing, "enrolled": code == 0})
    raise typer.Exit(code)


def deploy() -> None:
    """Create or update the cloud's stack."""
    fleet_with_cloud()
    raise typer.Exit(cloud_main(["deploy"]))


def explain(execution: operations.Execution) -> str | None:
    """Why a job stands as it does on an edge: the reason's code and the edge's sentence."""
    words = (execution.reason, execution.details.get("detail", ""))
    return ": ".join(word for word in words if word) or None
