"""Why a dataset leaves nothing to train, calibrate or test on, and what to do about it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_core.signals import Schema
from gustbed_training.data.dataset import Dataset, Role, Source
from gustbed_training.data.partition import Recording
from gustbed_training.durations import duration

FEWEST_TO_SPLIT = 7
"""Windows of an unbroken recording whose shares by time hold one each, and gaps between them."""
FEWEST_TO_FIT = 3
"""Windows to learn from: one to train on, a gap, one to calibrate on."""


@dataclass(frozen=True)
class Stretch:
    """What counts of an unbroken stretch. In samples: ``faulty`` are those that a label covers,
    ``normal`` those before the first, ``fit`` those that may be learnt from, if that is said.
    """

    file: str
    turbine: str
    role: Role
    samples: int
    faulty: int
    normal: int
    fit: int | None


def stretch_of(source: Source, recording: Recording) -> Stretch:
    """Without its values."""
    covered = np.zeros(recording.samples, dtype=np.bool_)
    for label in recording.labels:
        covered[label.start : label.stop] = True
    return Stretch(
        source.path.name,
        recording.turbine,
        source.role,
        recording.samples,
        int(covered.sum()),
        min((label.start for label in recording.labels), default=recording.samples),
        recording.fit,
    )


def shortfall(dataset: Dataset, subset: str, stretches: Sequence[Stretch]) -> GustbedError:
    """The error for a subset that got nothing; ``stretches`` are all that were read."""
    cause, remedy = _cause(dataset, subset, stretches)
    return GustbedError(f"{dataset.folder}: nothing to {subset} on: {cause}", remedy)


def _cause(dataset: Dataset, subset: str, stretches: Sequence[Stretch]) -> tuple[str, str]:
    schema, kept = dataset.schema, dataset.split.test_turbines
    if dataset.split.by_stretch:
        return _of_few_stretches(stretches)
    if subset == "test":
        return _of_all_learnt(stretches, schema)
    if not any(_may(each.role, subset) for each in dataset.sources):
        return (
            "the runs' folders say that all are for something else",
            "name the folder of a normal run train-…; of these the later part calibrates and tests",
        )
    free = [each for each in stretches if _may(each.role, subset) and each.turbine not in kept]
    if not free:
        return "split.test_turbines keeps every turbine for tests", "leave one to learn from out"
    if all(each.faulty == each.samples for each in free):
        return (
            f"every row is labelled as a fault, from {free[0].file} on",
            "in a column of labels 0 stands for no fault: check it, or leave it out of the map",
        )
    if any(each.fit is not None for each in free):
        return _of_fit(free, schema)
    normal = [each for each in free if not each.faulty]
    return _of_short(normal, schema) if normal else _of_labels(free, schema)


def _may(role: Role, subset: str) -> bool:
    return role in ("train", subset)


def _of_labels(free: Sequence[Stretch], schema: Schema) -> tuple[str, str]:
    files = list(dict.fromkeys(each.file for each in free))
    cause = (
        f"a recording with a labelled fault is for tests alone, as {files[0]} is"
        f"{'' if len(files) == 1 else f', and so are all {len(files)}'}"
    )
    need = FEWEST_TO_FIT * schema.window
    leads = [each.normal for each in free if each.normal >= need]
    add = f"add one without faults of {_said(FEWEST_TO_SPLIT * schema.window, schema)} at least"
    if not leads:
        return cause, add
    seconds = min(leads) / schema.sample_rate_hz
    return (
        cause,
        f"let the time before the first fault teach (split: {{fit_s: {seconds:g}}} in "
        + (f"the map of the import), or {add}"),
    )


def _of_fit(free: Sequence[Stretch], schema: Schema) -> tuple[str, str]:
    need = FEWEST_TO_FIT * schema.window
    longest = max(free, key=lambda each: each.fit or 0)
    if (longest.fit or 0) < need:
        return (
            f"of {longest.file} the first {_said(longest.fit or 0, schema)} may be learnt from, "
            f"{FEWEST_TO_FIT} windows without a break are {need}",
            "raise fit_rows or fit_s in the map's split, or set a shorter window",
        )
    return (
        f"in {longest.file} a fault is labelled from sample {longest.normal} on, "
        f"{FEWEST_TO_FIT} windows before it are {need}",
        "add recordings that begin without a fault, or set a shorter window",
    )


def _of_short(normal: Sequence[Stretch], schema: Schema) -> tuple[str, str]:
    by_file: dict[str, list[int]] = defaultdict(list)
    for each in normal:
        by_file[each.file].append(each.samples)
    file, lengths = max(by_file.items(), key=lambda item: sum(item[1]))
    need = FEWEST_TO_SPLIT * schema.window
    if sum(lengths) >= need:
        return (
            f"{file} is cut into {len(lengths)} stretches, the longest of "
            f"{_said(max(lengths), schema)}",
            "hold short gaps by max_gap_s in the map, set a shorter window, or give more",
        )
    return (
        f"the longest normal recording, {file}, has {_said(sum(lengths), schema)}",
        f"give {_said(need, schema)} at least without a break, or set a shorter window",
    )


def _of_few_stretches(stretches: Sequence[Stretch]) -> tuple[str, str]:
    normal = sum(not each.faulty for each in stretches)
    return (
        f"{normal} normal stretch{'' if normal == 1 else 'es'} cannot be shared out whole",
        "wait for more of about one length",
    )


def _of_all_learnt(stretches: Sequence[Stretch], schema: Schema) -> tuple[str, str]:
    said = [each for each in stretches if each.fit is not None]
    if not said:
        return "no part of a recording is kept for it", "add recordings for tests"
    longest = max(said, key=lambda each: each.samples)
    return (
        f"of the {longest.samples} samples of {longest.file} the first {longest.fit} are to be "
        f"learnt from, which leaves no window of {schema.window}",
        f"set fit_rows or fit_s in the map's split to "
        f"{_said(max(longest.samples - schema.window, 0), schema)} at most",
    )


def _said(samples: int, schema: Schema) -> str:
    return f"{samples} samples ({duration(samples / schema.sample_rate_hz)})"
