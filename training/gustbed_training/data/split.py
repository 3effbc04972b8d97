"""Splitting: recordings partitioned into training, calibration and test subsets.

Runs with a role keep it. A dataset's card may say what may be learnt from. Everything else is
split by time, a window's length apart, so that no window sees two parts. A labelled fault never
teaches: a recording with one is for tests alone.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_core.legacy import CHANNELS
from gustbed_core.signals import Schema
from gustbed_training.data.card import SplitRule
from gustbed_training.data.dataset import Dataset, Role, Source, open_dataset
from gustbed_training.data.partition import Part, Partition, Recording
from gustbed_training.data.recordings import within
from gustbed_training.data.shortfall import Stretch, shortfall, stretch_of

Subset = Literal["train", "calibrate", "test"]
ALL: tuple[Subset, ...] = ("train", "calibrate", "test")
TRAIN, CALIBRATE = 0.6, 0.2
"""Shares of the time; what is left over is for testing."""
FIT_TRAIN = 0.7
"""Share for training of what a card lets us learn from."""
_TESTS: tuple[Subset, ...] = ("test",)
_FOR_TESTS = ("test", "fault")


def partition_dataset(
    dataset: Dataset, hours: float | None = None, want: Collection[Subset] = ALL
) -> Partition:
    """Read a dataset and share it out; ``hours`` bounds what is learnt from each recording.

    Files that hold nothing wanted are not read. Raises ``GustbedError`` with the cause if a
    wanted subset gets nothing.
    """
    partition = Partition()
    read: list[Stretch] = []
    for source, recording, given in assignments(dataset, hours, want):
        read.append(stretch_of(source, recording))
        for subset, part in given:
            if subset in want:
                getattr(partition, subset).append(part)
    for subset in ALL:
        if subset in want and not getattr(partition, subset):
            raise shortfall(dataset, subset, read)
    return partition


def taught(dataset: Dataset, data_digest: str) -> bool:
    """Whether a model, by the digest of its training data, learnt from this dataset, and nothing
    in the dataset says what it kept for tests. Raises ``GustbedError`` for a part of what it
    learnt from: which share that is cannot be told.
    """
    if dataset.split != SplitRule() or dataset.has_roles:
        return False
    if dataset.folder.is_file() and open_dataset(dataset.folder.parent).digest() == data_digest:
        raise GustbedError(
            f"{dataset.folder}: the model learnt from this recording",
            f"give all of {dataset.folder.parent}, whose test share is judged, or other recordings",
        )
    return dataset.digest() == data_digest


def evaluation_parts(dataset: Dataset, *, kept_only: bool = False) -> Iterator[Part]:
    """What a dataset keeps for tests; of one without roles or rules, everything unless
    ``kept_only``, which is for a model that learnt from it. Read lazily.
    """
    if dataset.split != SplitRule() or kept_only:
        for _, _, given in assignments(dataset, None, _TESTS):
            yield from (part for subset, part in given if subset == "test")
        return
    kept = [source for source in dataset.sources if source.role in _FOR_TESTS]
    for source in kept or dataset.sources:
        yield from (whole(recording) for recording in dataset.read(source))


def whole(recording: Recording) -> Part:
    """All of a recording."""
    return Part(recording, 0, recording.samples)


def gap_of(schema: Schema) -> int:
    """Samples between two parts of one recording: neither windows nor neighbours are shared."""
    return schema.window


def shortest_to_split(schema: Schema) -> int:
    """Samples of which each part of a recording's split holds some windows."""
    return schema.window * 12


def by_time(recordings: Sequence[Recording], schema: Schema) -> list[tuple[Subset, Part]]:
    """Train, calibrate and test, in order of time over the unbroken stretches of one file.

    Stretches count as if nothing lay between them; nothing if a share would hold no window.
    """
    gap = gap_of(schema)
    total = sum(each.samples for each in recordings)
    usable = total - 2 * gap
    train, calibrate = int(usable * TRAIN), int(usable * CALIBRATE)
    second = train + gap
    third = second + calibrate + gap
    shares: list[tuple[Subset, int, int]] = [
        ("train", 0, train),
        ("calibrate", second, second + calibrate),
        ("test", third, total),
    ]
    assigned: list[tuple[Subset, Part]] = []
    before = 0
    for each in recordings:
        for subset, first, last in shares:
            start, stop = max(first - before, 0), min(last - before, each.samples)
            if stop - start >= schema.window:
                assigned.append((subset, Part(each, start, stop)))
        before += each.samples
    return assigned if {subset for subset, _ in assigned} == set(ALL) else []


def _apart(assigned: Sequence[tuple[Subset, Part]], schema: Schema) -> list[tuple[Subset, Part]]:
    """The parts of one file, those cut short that lie nearer to another share's than a window:
    a break in a recording may be shorter.
    """
    kept: list[tuple[Subset, Part]] = []
    for subset, given in sorted(assigned, key=lambda each: _place(each[1], schema)):
        part, by_rule = given, given.recording.fit is not None
        if kept and kept[-1][0] != subset and not (subset == "test" and by_rule):
            before, earlier = kept[-1]
            end = _place(earlier, schema) + earlier.stop - earlier.start
            missing = max(gap_of(schema) - (_place(part, schema) - end), 0)
            if subset == "test" and part.recording.labels:
                # No label is to be lost.
                kept[-1] = (before, replace(earlier, stop=earlier.stop - missing))
            else:
                part = replace(part, start=part.start + missing)
        if kept and _too_short(kept[-1][1], schema):
            kept.pop()
        if not _too_short(part, schema):
            kept.append((subset, part))
    return kept


def _place(part: Part, schema: Schema) -> int:
    """Where a part begins in its file, in samples of time."""
    return round(part.recording.start * schema.sample_rate_hz) + part.start


def _too_short(part: Part, schema: Schema) -> bool:
    return part.stop - part.start < schema.window


def to_learn_from(
    recording: Recording, stop: int, fraction: float, schema: Schema
) -> list[tuple[Subset, Part]]:
    """The samples before ``stop``: train on a share, a gap, calibrate on the rest."""
    gap, window = gap_of(schema), schema.window
    train = min(round(stop * fraction), stop - gap - window)
    if train < window:
        return []
    return [
        ("train", Part(recording, 0, train)),
        ("calibrate", Part(recording, train + gap, stop)),
    ]


def by_stretch(recordings: Sequence[Recording], schema: Schema) -> list[tuple[Subset, Part]]:
    """Whole stretches in order of time over all turbines, partitioned by how long they last.

    Only where a turbine's next stretch begins at once for another share is its beginning left out.
    """
    ordered = sorted(recordings, key=lambda each: (each.start, each.turbine))
    total = sum(each.samples for each in ordered)
    assigned: list[tuple[Subset, Part]] = []
    last: dict[str, tuple[Subset, float]] = {}
    seen = 0
    for each in ordered:
        subset = "test" if each.labels else _subset_at((seen + each.samples / 2) / total)
        before, until = last.get(each.source, (subset, each.start))
        apart = round((each.start - until) * schema.sample_rate_hz)
        first = 0 if before == subset else max(gap_of(schema) - apart, 0)
        if each.samples - first >= schema.window:
            assigned.append((subset, Part(each, first, each.samples)))
            last[each.source] = subset, each.start + each.samples / schema.sample_rate_hz
        seen += each.samples
    return assigned


def _subset_at(time: float) -> Subset:
    if time < TRAIN:
        return "train"
    return "calibrate" if time < TRAIN + CALIBRATE else "test"


def assignments(
    dataset: Dataset, hours: float | None = None, want: Collection[Subset] = ALL
) -> Iterator[tuple[Source, Recording, list[tuple[Subset, Part]]]]:
    """Every recording with its parts, read one file at a time where the rule allows it.

    Files that hold nothing wanted are not read; a recording that is too short has no parts.
    """
    schema = dataset.schema
    if dataset.split.by_stretch:
        yield from _by_stretch(dataset)
        return
    for number, source in enumerate(dataset.sources):
        if not set(want) & set(_possible_subsets(source)):
            continue
        coarse = number % 2 == 1 and set(schema.channel_names) <= set(CHANNELS)
        recordings = [
            _bounded(read, source.role, hours, schema, coarse=coarse)
            for read in dataset.read(source)
        ]
        parts: dict[int, list[tuple[Subset, Part]]] = defaultdict(list)
        for subset, part in _of_file(recordings, source.role, dataset.split, schema):
            parts[id(part.recording)].append((subset, part))
        yield from ((source, each, parts[id(each)]) for each in recordings)


def _bounded(
    read: Recording, role: Role, hours: float | None, schema: Schema, *, coarse: bool
) -> Recording:
    """What of a recording may be learnt from, as edges see it."""
    if role not in ("train", "calibrate") or read.labels:
        return read
    recording = _first(read, hours, schema)
    # Edges also serve turbines that send text: half is as coarse as theirs.
    return as_printed(recording) if coarse else recording


def _of_file(
    recordings: Sequence[Recording], role: Role, rule: SplitRule, schema: Schema
) -> list[tuple[Subset, Part]]:
    """The parts of all stretches of one file."""
    free = [each for each in recordings if _is_free(each, role, rule)]
    assigned = by_time(free, schema) if free else []
    for each in recordings:
        if not _is_free(each, role, rule):
            assigned += _assign(each, role, rule, schema)
    return _apart(assigned, schema)


def _is_free(recording: Recording, role: Role, rule: SplitRule) -> bool:
    """Whether time alone says what it is for."""
    return not (role != "train" or rule.test_turbines or recording.labels) and recording.fit is None


def _by_stretch(
    dataset: Dataset,
) -> Iterator[tuple[Source, Recording, list[tuple[Subset, Part]]]]:
    read = [(source, each) for source in dataset.sources for each in dataset.read(source)]
    parts: dict[int, list[tuple[Subset, Part]]] = defaultdict(list)
    for subset, part in by_stretch([each for _, each in read], dataset.schema):
        parts[id(part.recording)].append((subset, part))
    yield from ((source, each, parts[id(each)]) for source, each in read)


def _possible_subsets(source: Source) -> tuple[Subset, ...]:
    if source.role in _FOR_TESTS:
        return ("test",)
    return ("calibrate", "test") if source.role == "calibrate" else ALL


def _assign(
    recording: Recording, role: Role, rule: SplitRule, schema: Schema
) -> list[tuple[Subset, Part]]:
    everything = whole(recording)
    if role in _FOR_TESTS or recording.turbine in rule.test_turbines:
        return [("test", everything)]
    if recording.fit is not None:
        return _by_rule(recording, recording.fit, schema, tests=not rule.test_turbines)
    if recording.labels:
        # Where turbines are kept apart, one that may be learnt from is no test either.
        return [] if rule.test_turbines else [("test", everything)]
    if role == "calibrate":
        return [("calibrate", everything)]
    if rule.test_turbines:
        fraction = TRAIN / (TRAIN + CALIBRATE)
        return to_learn_from(recording, recording.samples, fraction, schema)
    return by_time([recording], schema)


def _by_rule(
    recording: Recording, fit: int, schema: Schema, *, tests: bool
) -> list[tuple[Subset, Part]]:
    normal = min([fit, *(label.start for label in recording.labels)])
    assigned = to_learn_from(recording, normal, FIT_TRAIN, schema)
    if tests and recording.samples - fit >= schema.window:
        assigned.append(("test", Part(recording, fit, recording.samples)))
    return assigned


def _first(recording: Recording, hours: float | None, schema: Schema) -> Recording:
    if hours is None:
        return recording
    asked = round(hours * 3600 * schema.sample_rate_hz)
    samples = min(max(asked, shortest_to_split(schema)), recording.samples)
    return replace(
        recording,
        values=recording.values[:, :samples],
        labels=within(recording.labels, 0, samples),
        fit=None if recording.fit is None else min(recording.fit, samples),
    )


def as_printed(recording: Recording) -> Recording:
    """The recording as the firmware's text record would have given it: with two decimals."""
    return replace(recording, values=np.round(recording.values, 2))
