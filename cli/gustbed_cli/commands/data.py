"""``gustbed data``: bring recordings, look at datasets."""

from pathlib import Path
from typing import Annotated

import typer

from gustbed_cli.training import training

app = typer.Typer(help="Bring recordings of your own, and look at datasets.", no_args_is_help=True)


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="CSV or Parquet files, or folders of them.")],
    map_: Annotated[Path, typer.Option("--map", help="YAML: columns, units, rate, labels.")],
    out: Annotated[Path, typer.Option(help="The dataset folder; it must not exist yet.")],
) -> None:
    """Turn recordings into a dataset, by a small map of their columns."""
    # Reads the map before anything as heavy as PyTorch is installed, and needs none of it.
    training("import", "--map", map_, "--out", out, *files, group="data")


@app.command()
def report(
    data: Annotated[Path, typer.Argument(help="A dataset folder.")],
    out: Annotated[
        Path | None, typer.Option(help="report.html in the dataset if not given.")
    ] = None,
) -> None:
    """Describe a dataset in a page: signals, ranges, gaps, correlations, shares, labels."""
    training("report", data, *(["--out", out] if out else []))
