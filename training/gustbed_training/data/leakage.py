"""Proof that tests saw nothing of what was learnt from: run on every training, and in tests."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

from gustbed_core.errors import GustbedError
from gustbed_core.package import Distribution
from gustbed_core.signals import Schema
from gustbed_training.data.partition import Part, Partition
from gustbed_training.data.statistics import reference_of

_REMEDY = "this is a defect of the split: no figure of this run is to be trusted"


def check_no_leakage(
    partition: Partition,
    schema: Schema,
    test_turbines: Collection[str] = (),
    reference: Mapping[str, Distribution] | None = None,
) -> None:
    """Raise ``GustbedError`` if a part shares samples with another or lies too near to it.

    Parts of one recording that two steps see must be a window apart; only where a dataset says
    how many samples may be learnt from do the others follow at once. With ``test_turbines`` no
    turbine may be on both sides. ``reference`` must be what the training part alone gives.
    """
    _check_parts(partition, schema)
    _check_turbines(partition, test_turbines)
    if reference is not None and dict(reference) != reference_of(partition.train, schema):
        raise GustbedError("leakage: statistics are not those of the training part alone", _REMEDY)


def _check_parts(partition: Partition, schema: Schema) -> None:
    spans: dict[str, list[tuple[int, int, str, bool]]] = defaultdict(list)
    for subset, parts in _named(partition):
        for part in parts:
            # Stretches of one file are told apart, and found to overlap, by their time.
            first = round(part.recording.start * schema.sample_rate_hz)
            by_rule = part.recording.fit is not None
            spans[part.recording.source].append(
                (first + part.start, first + part.stop, subset, by_rule)
            )
    for source, found in spans.items():
        for before, after in pairwise(sorted(found)):
            if after[2] == before[2] and after[0] >= before[1]:
                continue
            by_rule = after[3] and after[2] == "test"
            gap = 0 if by_rule else schema.window
            if after[0] - before[1] < gap:
                raise GustbedError(
                    f"leakage: {source}: {before[2]} up to sample {before[1]}, "
                    f"{after[2]} from {after[0]}, {gap} must lie between them",
                    _REMEDY,
                )


def _check_turbines(partition: Partition, test_turbines: Collection[str]) -> None:
    if not test_turbines:
        return
    for subset, parts in _named(partition):
        for part in parts:
            if (part.recording.turbine in test_turbines) != (subset == "test"):
                raise GustbedError(
                    f"leakage: turbine {part.recording.turbine} is used to {subset}, but "
                    f"{', '.join(sorted(test_turbines))} are kept for tests",
                    _REMEDY,
                )


def _named(partition: Partition) -> Sequence[tuple[str, Sequence[Part]]]:
    return (
        ("train", partition.train),
        ("calibrate", partition.calibrate),
        ("test", partition.test),
    )
