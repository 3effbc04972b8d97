"""``gustbed bench``: of the edge, the twin, its fit, the dashboard; and memory of the fleet."""

import os
import subprocess
import sys
from collections.abc import Mapping

import typer

from gustbed_cli.checkout import require_checkout
from gustbed_cli.commands.common import JsonOption
from gustbed_cli.fleet import load_fleet
from gustbed_cli.setup import ensure

app = typer.Typer(help="Print figures, measured here and now.", no_args_is_help=True)


@app.command()
def edge(json: JsonOption = False) -> None:
    """Verdicts per second and latency of the edge, against the reference way in the same run."""
    _run("edge", _no_fleet(), json)


@app.command()
def twin(json: JsonOption = False) -> None:
    """Turbine-steps per second of the twin."""
    _run("twin", _no_fleet(), json)


@app.command()
def fit(json: JsonOption = False) -> None:
    """Twins fitted to six machines whose constants are hidden: errors and intervals."""
    _run("fit", _no_fleet(), json)


@app.command()
def mirror(json: JsonOption = False) -> None:
    """A fitted twin beside its machine: quiet while it is sound, and how it hears slight faults."""
    _run("mirror", _no_fleet(), json)


@app.command()
def dashboard(json: JsonOption = False) -> None:
    """Blocks per second, lag and processor time of the dashboard on large sites."""
    _run("dashboard", _no_fleet(), json)


@app.command()
def commissioning(json: JsonOption = False) -> None:
    """What turbines' own corrections cost the edge, against the same edge without them."""
    _run("commissioning", _no_fleet(), json)


@app.command()
def memory(json: JsonOption = False) -> None:
    """Memory of every service of the running fleet."""
    _run("memory", load_fleet().environment(), json)


def _no_fleet() -> dict[str, str]:
    """What is measured brings its own site: no fleet's addresses or passwords have a part in it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GUSTBED_")}


def _run(name: str, environment: Mapping[str, str], json: bool) -> None:
    root = require_checkout("gustbed bench")
    ensure("dev")
    command = [sys.executable, str(root / "bench" / f"{name}.py"), *(["--json"] if json else [])]
    done = subprocess.run(command, env=environment, cwd=root, check=False)
    raise typer.Exit(done.returncode)
