"""``python -m gustbed_training make-dataset|train|evaluate|factory``."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from gustbed_protocol.errors import GustbedError

DONE, FAILED = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand: 0 done, 1 failed, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        options.function(options)
    except GustbedError as error:
        _say(f"gustbed-training: {error}")
        return FAILED
    except KeyboardInterrupt:
        _say("gustbed-training: interrupted: nothing was written")
        return FAILED
    return DONE


def _make_dataset(options: argparse.Namespace) -> None:
    from gustbed_training.datasets import make
    from gustbed_training.profiles import profile

    wanted = profile(options.profile)
    make(wanted, options.out, _say)
    print(f"{options.out}: {wanted.turbine_hours:.1f} turbine-hours")


def _train(options: argparse.Namespace) -> None:
    from gustbed_protocol.package import check_name, version_key, write_package
    from gustbed_training.datasets import cached
    from gustbed_training.detectors.base import Plan
    from gustbed_training.detectors.thresholds import Target
    from gustbed_training.pipeline.package import Identity, build
    from gustbed_training.profiles import profile
    from gustbed_training.shares import load

    identity = Identity(check_name(options.name), options.version)
    version_key(options.version)
    data = options.data or cached(profile("default"), _say)
    plan = Plan(seed=options.seed, epochs=options.epochs)
    target = Target(options.false_per_hour, options.margin)
    package = build(load(data, options.hours), identity, plan, target, data.name, _say)
    try:
        packed = write_package(package, options.out)
    except OSError as error:
        raise GustbedError(f"{options.out}: {error.strerror}", "name a file to write") from error
    print(f"{options.out}: {identity.name} {identity.version}, {len(packed)} bytes")


def _evaluate(options: argparse.Namespace) -> None:
    from gustbed_training.baseline import pca_scorer
    from gustbed_training.detectors.scoring import load_package, scorer
    from gustbed_training.detectors.thresholds import Target
    from gustbed_training.evaluate import evaluate
    from gustbed_training.report import as_json, as_table
    from gustbed_training.shares import for_evaluation, load

    package = load_package(options.model)
    title = f"{package.manifest.name} {package.manifest.version}"
    results = {title: evaluate(for_evaluation(options.data), scorer(package.model))}
    if options.baseline:
        score = pca_scorer(load(options.baseline), Target())
        results["principal components"] = evaluate(for_evaluation(options.data), score)
    if options.json:
        first, *others = results.values()
        value = {"model": title} | as_json(first) | {"baseline": [as_json(o) for o in others]}
        print(json.dumps(value, indent=2))
    else:
        print("\n\n".join(f"{name}\n{as_table(result)}" for name, result in results.items()))


def _factory(options: argparse.Namespace) -> None:
    from gustbed_training.pipeline.factory import make_factory

    for path in make_factory(options.out, _say):
        print(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gustbed-training", description="From recordings to a model package."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    dataset = commands.add_parser("make-dataset", help="simulate recordings with the twin")
    dataset.set_defaults(function=_make_dataset)
    dataset.add_argument("--out", type=Path, required=True, metavar="DIR")
    dataset.add_argument("--profile", default="default", help="default, tiny or evaluation")

    train = commands.add_parser("train", help="train a model and write its package")
    train.set_defaults(function=_train)
    train.add_argument("--data", type=Path, metavar="DIR", help="recordings; else from the twin")
    train.add_argument("--out", type=Path, required=True, metavar="PACKAGE.tar.gz")
    train.add_argument("--name", default="windturbine")
    train.add_argument("--version", default="1.0.0", metavar="X.Y.Z")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--epochs", type=_count)
    train.add_argument("--hours", type=_positive, help="use at most this much of each recording")
    train.add_argument(
        "--false-per-hour", type=_positive, default=3e-4, help="aim, per turbine and feature"
    )
    train.add_argument(
        "--margin", type=_positive, default=1.25, help="threshold over the largest normal score"
    )

    evaluate = commands.add_parser("evaluate", help="test a package on labelled recordings")
    evaluate.set_defaults(function=_evaluate)
    evaluate.add_argument("--model", type=Path, required=True, metavar="PACKAGE.tar.gz")
    evaluate.add_argument("--data", type=Path, required=True, metavar="DIR|FILE")
    evaluate.add_argument(
        "--baseline", type=Path, metavar="DIR", help="also judge principal components of this data"
    )
    evaluate.add_argument("--json", action="store_true")

    factory = commands.add_parser("factory", help="make the model that the edge ships with")
    factory.set_defaults(function=_factory)
    factory.add_argument(
        "--out",
        type=Path,
        default=Path("services/edge/gustbed_edge/factory/windturbine"),
        metavar="DIR",
    )
    return parser


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


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
