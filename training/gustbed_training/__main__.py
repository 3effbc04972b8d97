"""``python -m gustbed_training``: datasets, training, evaluation, packages."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from gustbed_core.errors import GustbedError

DONE, FAILED, INTERRUPTED = 0, 1, 130
HOME = Path(".gustbed")
_SAGEMAKER = "sagemaker"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    try:
        execute(sys.argv[1:] if arguments is None else arguments)
    except GustbedError as error:
        _log(f"gustbed-training: {error}")
        return FAILED
    except KeyboardInterrupt:
        _log("gustbed-training: interrupted: finished steps are kept, nothing is half written")
        return INTERRUPTED
    return DONE


def execute(arguments: Sequence[str]) -> None:
    """Run a subcommand. Raises ``GustbedError``, and ``SystemExit`` for wrong usage."""
    from gustbed_training.pipeline import commands, sagemaker

    if list(arguments) == ["train"] and sagemaker.started_here(os.environ):
        # SageMaker starts every image with this one word.
        arguments = [_SAGEMAKER]
    options = parser().parse_args(arguments)
    if options.command == _SAGEMAKER:
        # Not one of the others: it runs them.
        sagemaker.train(execute, os.environ)
    else:
        commands.COMMANDS[options.command](options, _log)


def parser() -> argparse.ArgumentParser:
    """Every subcommand with its options."""
    top = argparse.ArgumentParser(
        prog="gustbed-training", description="From recordings to a model package."
    )
    commands = top.add_subparsers(required=True, metavar="command", dest="command")

    def add(name: str, words: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=words, description=words)

    _add_data_commands(add("make-dataset", "simulate recordings with the twin"),
                       add("import", "turn recordings of one's own into a dataset"),
                       add("report", "describe a dataset: ranges, gaps, correlations, plots"),
                       add("describe", "say what a dataset is of"))  # fmt: skip
    _add_train(add("train", "train a model and write its package"))
    _add_judging(add("evaluate", "test a package on labelled recordings"),
                 add("compare", "train and test every detector, several times"),
                 add("drift", "compare a site's recordings with a package's training data"),
                 add("card", "print a package's model card"))  # fmt: skip
    reality = add("reality", "judge packages on machines that differ, commissioned and not")
    reality.add_argument(
        "--model", type=Path, dest="models", action="append", required=True, metavar="PACKAGE"
    )
    reality.add_argument("--hours", type=_positive, default=2.0, help="in each calm wind")
    reality.add_argument("--only", type=_names, metavar="WORD,…", help="of the conditions' names")
    reality.add_argument("--docs", type=Path, metavar="DIR", help="also write the table there")
    reality.add_argument("--json", action="store_true")
    _add_home(reality)
    factory = add("factory", "make the models that the edge ships with")
    factory.add_argument("--type", dest="types", action="append", metavar="TYPE")
    factory.add_argument(
        "--out", type=Path, default=Path("services/edge/gustbed_edge/factory"), metavar="DIR"
    )
    _add_home(factory)
    add(_SAGEMAKER, "run as a SageMaker training job")
    return top


def _add_data_commands(
    make: argparse.ArgumentParser,
    bring: argparse.ArgumentParser,
    report: argparse.ArgumentParser,
    describe: argparse.ArgumentParser,
) -> None:
    make.add_argument("--out", type=Path, required=True, metavar="DIR")
    make.add_argument("--profile", default="mini", help="<type>, <type>-tiny or <type>-evaluation")
    bring.add_argument("files", type=Path, nargs="+", metavar="FILE")
    bring.add_argument("--map", type=Path, required=True, metavar="MAP.yaml")
    bring.add_argument("--out", type=Path, required=True, metavar="DIR")
    report.add_argument("data", type=Path, metavar="DIR")
    report.add_argument("--out", type=Path, metavar="FILE")
    what = describe.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path, metavar="DIR")
    what.add_argument("--type", help="a turbine type instead")


def _add_train(train: argparse.ArgumentParser) -> None:
    train.add_argument("--data", type=Path, metavar="DIR", help="recordings; else from the twin")
    train.add_argument("--type", default="mini", help="turbine type, where no data are given")
    train.add_argument("--captures", type=Path, metavar="DIR", help="train on what edges captured")
    train.add_argument(
        "--normal", metavar="PERIODS", help="of captures, whatever the model said then"
    )
    train.add_argument("--out", type=Path, required=True, metavar="PACKAGE.tar.gz")
    train.add_argument("--detector", help="else what suits the data")
    train.add_argument("--name", help="of the model; else after the turbine type")
    train.add_argument("--version", default="1.0.0", metavar="X.Y.Z")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--epochs", type=_count)
    train.add_argument("--hours", type=_positive, help="use at most this much of each recording")
    train.add_argument("--false-per-day", type=_positive, help="aim of the thresholds, per turbine")
    train.add_argument(
        "--incumbent", type=Path, metavar="PACKAGE", help="in service: not to be worse than it"
    )
    train.add_argument(
        "--population",
        type=Path,
        metavar="FOLDER",
        help="recordings of machines that differ: turbines can then be commissioned",
    )
    train.add_argument("--force", action="store_true", help="do finished steps again")
    train.add_argument("--no-record", action="store_true", help="leave the run unrecorded")
    train.add_argument("--json", action="store_true")
    _add_home(train)


def _add_judging(
    evaluate: argparse.ArgumentParser,
    compare: argparse.ArgumentParser,
    drift: argparse.ArgumentParser,
    card: argparse.ArgumentParser,
) -> None:
    evaluate.add_argument("--model", type=Path, required=True, metavar="PACKAGE")
    evaluate.add_argument("--data", type=Path, metavar="DIR|FILE", help="else from the twin")
    evaluate.add_argument(
        "--unlabelled", action="store_true", help="take recordings without labels as normal"
    )
    evaluate.add_argument("--json", action="store_true")
    _add_home(evaluate)

    compare.add_argument("--data", type=Path, metavar="DIR", help="else the twin's, of both types")
    compare.add_argument("--seeds", type=_seeds, default=(0, 1, 2), metavar="0,1,2")
    compare.add_argument("--detectors", type=_names, metavar="NAME,…")
    compare.add_argument("--docs", type=Path, metavar="DIR", help="also write detection.md, .json")
    compare.add_argument(
        "--against",
        type=Path,
        metavar="JSON",
        help="say whether an earlier comparison's rows agree",
    )
    compare.add_argument("--as-command", default="make detection", help=argparse.SUPPRESS)
    compare.add_argument("--json", action="store_true")
    _add_home(compare)

    drift.add_argument("--model", type=Path, required=True, metavar="PACKAGE")
    source = drift.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, metavar="DIR|FILE")
    source.add_argument("--captures", type=Path, metavar="DIR")
    drift.add_argument("--json", action="store_true")
    _add_home(drift)

    card.add_argument("package", type=Path, metavar="PACKAGE")


def _add_home(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--home", type=Path, default=HOME, metavar="DIR", help="of finished steps and datasets"
    )


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _seeds(text: str) -> tuple[int, ...]:
    seeds = tuple(int(part) for part in text.split(","))
    if len(set(seeds)) != len(seeds):
        raise argparse.ArgumentTypeError(f"{text}: a seed is there twice")
    return seeds


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # Whoever stops us, a container engine say, is to leave nothing half written either.
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(main())
