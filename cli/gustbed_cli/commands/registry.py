"""``gustbed model register``, ``approve``, ``promote`` and ``list``."""

import time
from pathlib import Path
from typing import Annotated

import typer

from gustbed_cli import output
from gustbed_cli.commands.cloud import explain
from gustbed_cli.commands.common import JsonOption, fleet_with_cloud
from gustbed_cli.training import manifest_of, trained
from gustbed_cloud import operations
from gustbed_core.errors import GustbedError
from gustbed_core.package import version_key

NAME = "windturbine"
ROLLOUT_WITHIN = 600
"""Seconds that ``--wait`` gives a rollout."""
FINAL = frozenset({"SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED", "REMOVED"})
"""Statuses of a job execution that no longer change."""

NameOption = Annotated[str, typer.Option(help="The model's name.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait until every edge answered.")]


def register(
    package: Annotated[Path | None, typer.Argument(help="Newest trained if not given.")] = None,
    name: NameOption = NAME,
    despite_gate: Annotated[
        str, typer.Option(help="Why to take a model that its quality gate refused.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Put a package into the registry, pending approval, if it passed its quality gate."""
    fleet = fleet_with_cloud()
    path = package
    if path is None:
        found = trained(fleet, name)
        if not found:
            raise GustbedError(
                f"{fleet.home / 'models'}: no package of {name}", "run `gustbed model train` first"
            )
        path = max(found, key=lambda each: each.stat().st_mtime)
    manifest_of(path)
    registered = operations.register_model(operations.connect(), path, despite_gate)
    if json:
        output.emit_json(registered)
        return
    typer.echo(f"{registered.name} {registered.version}: {registered.status}")
    other = "" if registered.name == NAME else f" --name {registered.name}"
    typer.echo(f"Next: gustbed model approve {registered.version}{other}")


def approve(
    version: Annotated[str | None, typer.Argument(help="Newest pending if not given.")] = None,
    name: NameOption = NAME,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Run it beside the serving model, to compare.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Let it replace a newer version.")
    ] = False,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> None:
    """Approve a version: it is packaged, signed and rolled out by itself."""
    fleet_with_cloud()
    cloud = operations.connect()
    wanted = version or _newest_pending(operations.list_models(cloud, name), name)
    approved = operations.approve_model(cloud, name, wanted, rollback=rollback, shadow=shadow)
    if wait:
        _wait_for_rollout(cloud, approved)
    _print_decision(approved, waited=wait, json=json)


def promote(
    version: Annotated[str, typer.Argument(help="A version that runs in shadow.")],
    name: NameOption = NAME,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> None:
    """Let a version serve that has run in shadow."""
    fleet_with_cloud()
    cloud = operations.connect()
    promoted = operations.promote_model(cloud, name, version)
    if wait:
        _wait_for_rollout(cloud, promoted)
    _print_decision(promoted, waited=wait, json=json)


def list_(name: NameOption = NAME, json: JsonOption = False) -> None:
    """List the registry's versions."""
    fleet_with_cloud()
    models = operations.list_models(operations.connect(), name)
    if json:
        output.emit_json(models)
        return
    output.table(
        f"Versions of {name}",
        ["version", "status", "role", "detector", "VUS-PR", "registered (UTC)", "package"],
        (
            (m.version, m.status, m.role, m.detector or None, m.metrics.get("vus_pr"),
             output.clock(m.created), m.url)
            for m in models
        ),
    )  # fmt: skip


def _print_decision(decided: operations.ModelVersion, *, waited: bool, json: bool) -> None:
    if json:
        output.emit_json(decided)
        return
    typer.echo(f"{decided.name} {decided.version}: {decided.status}")
    if not waited:
        typer.echo("Follow it: gustbed jobs")


def _newest_pending(models: list[operations.ModelVersion], name: str) -> str:
    pending = [model.version for model in models if model.status == "PendingManualApproval"]
    if not pending:
        raise GustbedError(
            f"model {name}: no version is pending", "register one, or name a version"
        )
    return max(pending, key=version_key)


def _wait_for_rollout(cloud: operations.Cloud, approved: operations.ModelVersion) -> None:
    what = f"{approved.name} {approved.version}"
    rollout = approved.approval.rollout if approved.approval else None
    deadline = time.monotonic() + ROLLOUT_WITHIN
    printed = ""
    while time.monotonic() < deadline:
        found = (job.executions for job in operations.list_jobs(cloud) if job.id == rollout)
        executions = next(found, ())
        words = ", ".join(f"{e.thing} {e.status}" for e in executions) or "waiting for the job"
        if words != printed:
            output.report(words)
            printed = words
        if executions and all(e.status in FINAL for e in executions):
            failed = [e for e in executions if e.status != "SUCCEEDED"]
            if failed:
                raise GustbedError(
                    f"{what} on {failed[0].thing}: {failed[0].status}",
                    explain(failed[0]) or "see `gustbed logs edge`",
                )
            return
        time.sleep(1)
    raise GustbedError(f"{what}: not rolled out after {ROLLOUT_WITHIN} s", "see `gustbed jobs`")
