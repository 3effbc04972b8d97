"""``gustbed bench edge`` and ``gustbed bench twin``."""

import subprocess
import sys

import typer

from gustbed_cli.checkout import require_checkout
from gustbed_cli.commands.common import JsonOption
from gustbed_cli.fleet import load_fleet
from gustbed_cli.setup import ensure

app = typer.Typer(help="Print figures, measured here and now.", no_args_is_help=True)


@app.command()
def edge(json: JsonOption = False) -> None:
    """Verdicts per second and latency of the edge, against the reference way in the same run."""
    _run("edge", json)


@app.command()
def twin(json: JsonOption = False) -> None:
    """Turbine-steps per second of the twin."""
    _run("twin", json)


@app.command()
def memory(json: JsonOption = False) -> None:
    """Memory of every service of the running fleet."""
    _run("memory", json)


def _run(name: str, json: bool) -> None:
    root = require_checkout("gustbed bench")
    ensure("dev")
    command = [sys.executable, str(root / "bench" / f"{name}.py"), *(["--json"] if json else [])]
    done = subprocess.run(command, env=load_fleet().environment(), cwd=root, check=False)
    raise typer.Exit(done.returncode)
