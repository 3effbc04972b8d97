"""``gustbed jobs`` and ``gustbed enrol``."""

from typing import Annotated

import typer

from gustbed_cli import output
from gustbed_cli.commands.common import JsonOption, fleet_with_cloud
from gustbed_cli.runtime.selection import current_backend
from gustbed_cloud import operations
from gustbed_core.enrolment import DeviceRole


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
                f"{job.name} {job.version}" if job.name else None,
                job.role if job.name else None,
                outcome(job),
                e.thing if e else None,
                e.status if e else None,
                (operations.explain(e) or None) if e else None,
            )
            for job in found
            for e in job.executions or (None,)
        ),
    )


def enrol(
    thing: Annotated[str, typer.Argument(help="The device's thing name, gustbed-site-1 say.")],
    role: Annotated[
        DeviceRole | None,
        typer.Option(
            help="edge: gets the fleet's rollouts. device: has identity and topics, no rollouts. "
            "Not given: as it was, or edge."
        ),
    ] = None,
    replace_key: Annotated[
        bool, typer.Option("--replace-key", help="Its key has changed, and that is right.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Give a device its certificate: answers the request in the enrolment folder."""
    options = [*(["--role", role] if role else []), *(["--replace-key"] if replace_key else [])]
    code = current_backend(fleet_with_cloud()).enrol(thing, *options)
    if json:
        output.emit_json({"thing": thing, "enrolled": code == 0})
    raise typer.Exit(code)


def outcome(job: operations.Job) -> str:
    """How a rollout went: what AWS calls completed has only ended, and may have failed."""
    broken = sum(execution.failed for execution in job.executions)
    if broken:
        return f"FAILED on {broken} of {len(job.executions)}"
    if job.status == "COMPLETED" and not job.executions:
        return "reached no edge"
    return job.status
