"""``gustbed model register``, ``approve``, ``promote`` and ``list``."""

import os
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Annotated

import typer

from gustbed_cli import output, site
from gustbed_cli.commands.cloud import outcome
from gustbed_cli.commands.common import JsonOption, fleet_with_cloud
from gustbed_cli.fleet import Fleet
from gustbed_cli.sites import sites_of
from gustbed_cli.training import manifest_of, trained
from gustbed_cloud import operations
from gustbed_core.errors import GustbedError
from gustbed_core.gate_report import PUBLIC_KEYS
from gustbed_core.package import version_key

NAME = "windturbine"
ROLLOUT_WITHIN = 600
"""Seconds that ``--wait`` gives a rollout."""

NameOption = Annotated[str, typer.Option(help="The model's name.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait until every edge answered.")]
WithinOption = Annotated[int, typer.Option(min=1, help="Seconds that --wait takes at most.")]


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
    registered = operations.register_model(
        operations.connect(), path, despite_gate, _pipelines(fleet)
    )
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
    within: WithinOption = ROLLOUT_WITHIN,
    json: JsonOption = False,
) -> None:
    """Approve a version: it is packaged, signed and rolled out by itself."""
    fleet_with_cloud()
    cloud = operations.connect()
    wanted = version or _newest_pending(operations.list_models(cloud, name), name)
    approved = operations.approve_model(cloud, name, wanted, rollback=rollback, shadow=shadow)
    if wait:
        operations.follow_rollout(cloud, approved, within, output.report)
    _print_decision(approved, waited=wait, json=json)


def promote(
    version: Annotated[str, typer.Argument(help="A version that runs in shadow.")],
    name: NameOption = NAME,
    wait: WaitOption = False,
    within: WithinOption = ROLLOUT_WITHIN,
    json: JsonOption = False,
) -> None:
    """Let a version serve that has run in shadow."""
    fleet_with_cloud()
    cloud = operations.connect()
    promoted = operations.promote_model(cloud, name, version)
    if wait:
        operations.follow_rollout(cloud, promoted, within, output.report)
    _print_decision(promoted, waited=wait, json=json)


def list_(name: NameOption = NAME, json: JsonOption = False) -> None:
    """List the registry's versions, and what every site's edge runs."""
    fleet = fleet_with_cloud()
    cloud = operations.connect()
    models = operations.list_models(cloud, name)
    if json:
        output.emit_json(models)
        return
    jobs = {job.id: job for job in operations.list_jobs(cloud)}
    output.table(
        f"Versions of {name} in the registry",
        ["version", "status", "approved to", "rollout", "detector", "VUS-PR", "registered (UTC)"],
        (
            (m.version, m.status, m.role, _rollout(m, jobs), m.detector or None,
             m.metrics.get("vus_pr"), output.clock(m.created))
            for m in models
        ),
    )  # fmt: skip
    typer.echo()
    registered = {(model.name, model.version) for model in models}
    for each in sites_of(fleet):
        _print_running(each, registered)


def _rollout(model: operations.ModelVersion, jobs: Mapping[str, operations.Job]) -> str | None:
    job = jobs.get(model.approval.rollout) if model.approval and model.role else None
    if job is None:
        return None
    broken = [execution for execution in job.executions if execution.failed]
    if not broken:
        return outcome(job)
    # One that said why tells more than those that were cancelled because of it.
    first = min(broken, key=lambda execution: execution.status == "CANCELED")
    return f"{outcome(job)}: {first.thing}: {operations.explain(first) or first.status}"


def _print_running(fleet: Fleet, registered: Container[tuple[str, str]]) -> None:
    try:
        running = site.models(fleet.edge_url)
    except GustbedError as error:
        output.report(f"what {fleet.site.site} runs is not known: {error}")
        return
    output.table(
        f"Models that the edge of {fleet.site.site} runs",
        ["model", "version", "role", "turbine type", "detector", "in the registry"],
        (
            (info.model.name, info.model.version, info.role, info.turbine_type,
             info.detector or None,
             "yes" if (info.model.name, info.model.version) in registered else "no")
            for info in running
        ),
    )  # fmt: skip


def _pipelines(fleet: Fleet) -> Path | None:
    """The keys of pipelines that this fleet trusts: its own, unless other ones are named."""
    return None if os.environ.get("GUSTBED_PIPELINE_KEYS") else fleet.home / PUBLIC_KEYS


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
