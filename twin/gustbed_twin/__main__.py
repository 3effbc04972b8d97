"""``python -m gustbed_twin run|generate|health``."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from gustbed_core.errors import GustbedError
from gustbed_core.settings import MqttSettings, SiteSettings, load
from gustbed_twin.datasets.request import DatasetRequest, write
from gustbed_twin.publisher.health import check_health, health_file
from gustbed_twin.publisher.service import run
from gustbed_twin.settings import TwinSettings

DONE, FAILED = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand: 0 done, 1 failed, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.function(options))
    except GustbedError as error:
        print(f"gustbed-twin: {error}", file=sys.stderr)
        return FAILED


def _run(_options: argparse.Namespace) -> int:
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    run(load(TwinSettings), load(SiteSettings), load(MqttSettings))
    return DONE


def _health(_options: argparse.Namespace) -> int:
    settings = load(TwinSettings)
    health = check_health(health_file(settings.data_dir, load(SiteSettings).site, settings.shard))
    print(f"{health.site}: {health.turbines} turbines connected, {health.blocks} blocks")
    return DONE


def _generate(options: argparse.Namespace) -> int:
    request = DatasetRequest(
        type=options.type,
        turbines=options.turbines,
        hours=options.hours,
        seed=options.seed,
        scenario=options.scenario,
        wind=options.wind_mean,
        turbulence=options.turbulence,
        layout=options.layout,
        wake=options.wake,
        shard=options.shard,
        rate_hz=options.rate,
        faults=tuple(options.fault),
        csv=options.csv,
        variation=options.variation,
        types_dir=load(SiteSettings).types_dir,
    )
    card = write(request, options.out, force=options.force)
    print(f"{options.out}: {len(card['turbines'])} turbines, {card['samples']} samples each")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gustbed-twin", description="The farm's digital twin.")
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser(
        "run",
        help="publish blocks to the site broker until stopped",
        description="Configured by GUSTBED_SITE, GUSTBED_TURBINES, GUSTBED_MQTT_*, GUSTBED_TWIN_*.",
    ).set_defaults(function=_run)
    commands.add_parser(
        "health", help="exit with 0 if a running twin's heartbeat is fresh"
    ).set_defaults(function=_health)
    generate = commands.add_parser(
        "generate",
        help="write a labelled dataset, faster than real time",
        description="Write one Parquet file per turbine, and dataset.json.",
    )
    generate.set_defaults(function=_generate)
    add = generate.add_argument
    usual = TwinSettings.model_fields["type"].default
    add("--type", default=usual, help=f"turbine type: a name or a YAML file, default {usual}")
    add("--turbines", type=_within(int, 1, 10_000), default=6, help="default 6")
    add("--hours", type=_within(float, 0, 24 * 366), required=True, help="simulated hours")
    add("--seed", type=_within(int, 0, 2**63), default=42, help="default 42")
    add("--rate", type=_within(int, 1, 100), help="samples per second, default the type's own")
    add(
        "--wind-mean", type=_within(float, 0, 60), help="in the type's unit, default the type's own"
    )
    add("--turbulence", type=_within(float, 0, 0.5), help="standard deviation over mean")
    add(
        "--variation",
        type=_within(float, 0, 0.3),
        default=0.0,
        help="each turbine's constants are within 1 ± this of its type's, default 0",
    )
    add("--scenario", type=Path, metavar="FILE", help="YAML: what happens, and the wind")
    add(
        "--fault",
        action="append",
        default=[],
        metavar="TURBINE:KIND[:start=S][:duration=S][:severity=X][:ramp=S][:signal=CHANNEL]",
        help="a fault; may be repeated",
    )
    add("--layout", type=Path, metavar="FILE", help="YAML: where the turbines stand")
    add("--wake", choices=("none", "jensen", "gauss"), default="none", help="wake model")
    add("--shard", default="1/1", metavar="i/N", help="only this part of the farm")
    add("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    add("--force", action="store_true", help="replace a dataset that is there")
    add(
        "--csv",
        nargs="?",
        const="wt01",
        metavar="TURBINE",
        help="also write a recording of one turbine (wt01) for GUSTBED_TWIN_REPLAY",
    )
    return parser


class _within:  # noqa: N801 - argparse prints the name
    """A number within bounds."""

    def __init__(self, form: type[int] | type[float], low: float, high: float) -> None:
        self._form, self._low, self._high = form, low, high

    def __call__(self, text: str) -> float:
        try:
            value = self._form(text)
        except ValueError:
            value = self._form(self._low - 1)
        if not self._low <= value <= self._high:
            what = "whole number" if self._form is int else "number"
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a {what} from {self._low} to {self._high}"
            )
        return value


if __name__ == "__main__":
    sys.exit(main())
