"""``gustbed cloud``: the stack, what it would change, what it costs and who may do what."""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gustbed_cli import output
from gustbed_cli.commands.common import JsonOption, fleet_with_cloud
from gustbed_cloud.__main__ import main as cloud_main
from gustbed_cloud.aws import PATIENT, Session, open_session
from gustbed_cloud.changes import Change, NothingToCompareError, preview
from gustbed_cloud.configured import configured_plan
from gustbed_cloud.deploy import CONTENT_TAG
from gustbed_cloud.deploy import deploy as deploy_plan
from gustbed_cloud.estimate import NOT_COUNTED, PRICES, Fleet, Item, estimate, read_prices, total
from gustbed_cloud.policies import Task, here, policy
from gustbed_cloud.settings import CloudSettings
from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings, load

app = typer.Typer(no_args_is_help=True, help="The cloud's stack: changes, cost and rights.")
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command()
def diff(json: JsonOption = False) -> None:
    """Show what a deployment would change. Changes nothing."""
    fleet_with_cloud()
    session = open_session(PATIENT)
    changes = preview(session, configured_plan(session))
    if json:
        output.emit_json([{**asdict(each), "loses": each.loses} for each in changes])
        return
    show(changes)


@app.command()
def deploy(yes: YesOption = False) -> None:
    """Create or update the cloud's stack: shows what changes, and asks on a terminal."""
    fleet_with_cloud()
    session = open_session(PATIENT)
    plan = configured_plan(session)
    try:
        changes = preview(session, plan)
        show(changes)
    except NothingToCompareError as error:
        typer.echo(str(error))
        changes = [Change(plan.stack, "", "add")]
    if changes:
        _say_cost(session)
        _ask(changes, yes=yes)
    if not deploy_plan(session, plan, report=output.report).changed:
        output.report(f"stack {plan.stack}: up to date")


@app.command()
def destroy(yes: YesOption = False) -> None:
    """Delete the stack, its devices, models and artifacts."""
    fleet_with_cloud()
    raise typer.Exit(cloud_main(["destroy", *(["--yes"] if yes else [])]))


@app.command(name="estimate")
def estimate_command(
    turbines: Annotated[int | None, typer.Option(min=1, help="Of a site. This site's.")] = None,
    sites: Annotated[int, typer.Option(min=1)] = 1,
    turbine_type: Annotated[str, typer.Option("--type", help="mini or nrel_5mw.")] = "mini",
    events: Annotated[float, typer.Option(min=0, help="Anomalies of a turbine in a day.")] = 1.0,
    rollouts: Annotated[float, typer.Option(min=0, help="Of the fleet in a month.")] = 1.0,
    region: Annotated[str | None, typer.Option(help="AWS_REGION's, else us-east-1.")] = None,
    prices: Annotated[Path, typer.Option(help="A price file of your own.")] = PRICES,
    json: JsonOption = False,
) -> None:
    """Estimate a month's cost at AWS, line by line, at list prices. Asks no cloud."""
    size = turbines or load(SiteSettings).turbines
    fleet = Fleet(sites, size, turbine_type, events, rollouts)
    table = read_prices(region or _region(), prices)
    items = estimate(fleet, table)
    known, unknown = total(items)
    if json:
        lines = [{**asdict(each), "cost": each.cost} for each in items]
        output.emit_json({"currency": table.currency, "total": known, "unknown": unknown,
                          "region": table.region, "date": table.date, "items": lines})  # fmt: skip
        return
    heading = f"A month in {table.region}: {sites} × {size} turbines of type {turbine_type}"
    output.table(
        heading,
        ["what", "quantity", "unit", f"{table.currency} each", table.currency, "because"],
        [*map(_line, items), ("total", None, "", None, f"{known:.2f}", _unknown(unknown))],
    )
    typer.echo(f"Prices of {table.date}: {table.note}")
    typer.echo("Not counted: " + "; ".join(NOT_COUNTED) + ".")


@app.command(name="policy")
def policy_command(
    task: Annotated[Task, typer.Argument(help="Whose: deploy, destroy, enrol or operate.")],
    account: Annotated[
        str | None, typer.Option(help="12 digits; that of the credentials in use.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="AWS_REGION's.")] = None,
    partition: Annotated[str | None, typer.Option(help="aws, aws-cn, aws-us-gov.")] = None,
) -> None:
    """Print the IAM policy that a task needs, for this stack alone."""
    found = (account, partition or "aws") if account else None
    if found is None or not (region or _environment_region()):
        fleet_with_cloud()
        session = open_session()
        found, region = found or here(session), region or session.region_name
    where = region or _environment_region()
    text = policy(
        task, load(CloudSettings).stack, region=where, account=found[0],
        partition=partition or found[1],
    )  # fmt: skip
    typer.echo(text, nl=False)


def show(changes: Sequence[Change]) -> None:
    """Print changes; those that lose something are marked."""
    real = [each for each in changes if not each.only_tags]
    if not changes:
        typer.echo("Nothing would change.")
        return
    output.table(
        "What a deployment changes",
        ["resource", "type", "what happens", "because of", "lost for good"],
        (
            (each.resource, each.kind, each.effect, ", ".join(each.parts), each.loses.upper())
            for each in sorted(real, key=lambda each: (not each.loses, each.effect, each.resource))
        ),
    )
    tagged = len(changes) - len(real)
    if tagged:
        typer.echo(f"Of {tagged} more only the tag {CONTENT_TAG} changes.")


def _ask(changes: Sequence[Change], *, yes: bool) -> None:
    """Raises ``GustbedError`` if somebody must say yes and does not."""
    if yes:
        return
    losing = [each.resource for each in changes if each.loses]
    if sys.stdin.isatty():
        if not typer.confirm(f"{'LOSE ' + ', '.join(losing) + ': d' if losing else 'D'}eploy?"):
            raise GustbedError("deploy: not confirmed", "nothing was changed")
    elif losing:
        raise GustbedError(
            f"deploy: {', '.join(losing)} would be removed or made anew, with what it holds",
            "see `gustbed cloud diff`, then give --yes",
        )


def _say_cost(session: Session) -> None:
    try:
        prices = read_prices(session.region_name)
    except GustbedError:
        prices = read_prices("us-east-1")
    known, unknown = total(estimate(Fleet(turbines=load(SiteSettings).turbines), prices))
    typer.echo(
        f"At AWS about {known:.0f} {prices.currency} a month for a site like this one, by list "
        f"prices of {prices.region} ({prices.date}){', without ' if unknown else ''}"
        f"{', '.join(unknown)}: `gustbed cloud estimate`."
    )


def _line(item: Item) -> tuple[object, ...]:
    price = None if item.price is None else f"{item.price:g}"
    cost = None if item.cost is None else f"{item.cost:.2f}"
    return item.what, f"{item.quantity:,.3f}", item.unit, price, cost, item.how


def _unknown(names: list[str]) -> str:
    return f"without {', '.join(names)}" if names else ""


def _region() -> str:
    return _environment_region() or "us-east-1"


def _environment_region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
