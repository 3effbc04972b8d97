"""``python -m gustbed_twin run|generate|health``."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from gustbed_core.errors import GustbedError
from gustbed_core.settings import MqttSettings, SiteSettings, load
from gustbed_core.telemetry import MINI
from gustbed_twin.generate import Recipe, open_folder, write_dataset
from gustbed_twin.health import check_health, health_file
from gustbed_twin.scenario import Scenario, parse_fault, read_scenario
from gustbed_twin.service import run
from gustbed_twin.settings import TwinSettings
from gustbed_twin.wind import WindConfig

DONE, FAILED = 0, 1
_RATE_HZ = 20
_MOST_ANEMOMETER_RPS = 10.0


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
    path = health_file(load(TwinSettings).data_dir, load(SiteSettings).site)
    health = check_health(path)
    print(f"{health.site}: {health.turbines} turbines connected, {health.blocks} blocks")
    return DONE


def _generate(options: argparse.Namespace) -> int:
    if options.type != MINI:
        return _generate_type(options)
    if options.wind_mean is not None and options.wind_mean > _MOST_ANEMOMETER_RPS:
        raise GustbedError(
            f"--wind-mean {options.wind_mean:g}", f"at most {_MOST_ANEMOMETER_RPS:g} rev/s"
        )
    scenario = read_scenario(options.scenario) if options.scenario else Scenario()
    usual = WindConfig()
    recipe = Recipe(
        turbines=options.turbines,
        hours=options.hours,
        seed=options.seed,
        wind=WindConfig(
            _first(options.wind_mean, scenario.wind_mean, usual.mean),
            _first(options.turbulence, scenario.turbulence, usual.turbulence),
        ),
        faults=(*scenario.faults, *map(parse_fault, options.fault)),
        rate_hz=options.rate,
    )
    open_folder(options.out, force=options.force)
    card = write_dataset(recipe, options.out, options.csv)
    print(f"{options.out}: {len(card['turbines'])} turbines, {card['samples']} samples each")
    return DONE


def _generate_type(options: argparse.Namespace) -> int:
    from gustbed_twin.datasets import Order, write

    for flag, given in (
        ("--fault", options.fault),
        ("--csv", options.csv),
        ("--rate", options.rate != _RATE_HZ),
    ):
        if given:
            raise GustbedError(f"{flag}: not for type {options.type}", "use --scenario")
    order = Order(
        options.type, options.turbines, options.hours, options.seed, options.scenario,
        options.wind_mean, options.turbulence,
    )  # fmt: skip
    card = write(order, options.out, force=options.force)
    print(f"{options.out}: {len(card['turbines'])} turbines, {card['samples']} samples each")
    return DONE


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)


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
    add("--type", default=MINI, help="turbine type: a name or a YAML file, default mini")
    add("--turbines", type=_whole(1, 10_000), default=6, help="default 6")
    add("--hours", type=_number(0, 24 * 366), required=True, help="simulated hours")
    add("--seed", type=_whole(0, 2**63), default=42, help="default 42")
    add("--rate", type=_whole(1, 100), default=_RATE_HZ, help="default 20, mini only")
    add("--wind-mean", type=_number(0, 60), help="m/s; of mini anemometer rev/s, default 2.15")
    add("--turbulence", type=_number(0, 0.5), help="standard deviation over mean, default 0.15")
    add("--scenario", type=Path, metavar="FILE", help="YAML: what happens, and the wind")
    add(
        "--fault",
        action="append",
        default=[],
        metavar="TURBINE:KIND[:start=S][:duration=S][:severity=X][:ramp=S]",
        help="a fault; may be repeated",
    )
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


class _whole:  # noqa: N801 - argparse prints the name
    """A whole number within bounds."""

    def __init__(self, low: int, high: int) -> None:
        self._low, self._high = low, high

    def __call__(self, text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = self._low - 1
        if not self._low <= value <= self._high:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {self._low} to {self._high}"
            )
        return value


class _number:  # noqa: N801 - argparse prints the name
    """A number within bounds."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    def __call__(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = self._low - 1
        if not self._low <= value <= self._high:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a number from {self._low} to {self._high}"
            )
        return value


if __name__ == "__main__":
    sys.exit(main())
