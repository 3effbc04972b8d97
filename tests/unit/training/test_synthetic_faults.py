"""Disturbances of our making lie where their labels say, and nowhere else."""

import numpy as np

from gustbed_training.data.partition import Part, Recording
from gustbed_training.pipeline.synthetic_faults import with_synthetic_faults
from tests.unit.training.toy import SCHEMA, signals


def _part(samples: int = 3000, constant: bool = False) -> Part:
    values = signals(5, samples=samples).T.astype(np.float32)
    if constant:
        values[1] = 7.0
    return Part(Recording("r", "t", 0.0, values, labelled=False), 100, samples - 100)


def test_values_differ_exactly_within_labels() -> None:
    part = _part()
    faulty = list(with_synthetic_faults([part], [part], SCHEMA))
    labels = [label for one in faulty for label in one.recording.labels]
    assert 24 <= len(labels) <= 240
    assert {label.fault for label in labels} == {"offset", "drift", "noise"}
    assert {label.signals for label in labels} == {("hot",), ("amps",)}
    for one in faulty:
        assert one.recording.labelled
        same = one.recording.values == part.recording.values
        for label in one.recording.labels:
            row = SCHEMA.channel_names.index(label.signals[0])
            assert part.start < label.start < label.stop <= part.stop
            assert not same[row, label.start + 1 : label.stop].all()
            same[row, label.start : label.stop] = True
        assert same.all()


def test_sizes_are_standard_deviations_of_normal_data() -> None:
    part = _part()
    for one in with_synthetic_faults([part], [part], SCHEMA):
        change = one.recording.values - part.recording.values
        for label in one.recording.labels:
            if label.fault == "offset":
                row = SCHEMA.channel_names.index(label.signals[0])
                expected = 4 * (2.0, 1.0)[row]
                found = change[row, label.start : label.stop]
                np.testing.assert_allclose(found, expected, rtol=0.1)


def test_the_recording_itself_is_left_alone() -> None:
    part = _part()
    before = part.recording.values.copy()
    assert list(with_synthetic_faults([part], [part], SCHEMA))
    np.testing.assert_array_equal(part.recording.values, before)
    assert part.recording.labels == ()


def test_a_signal_that_never_moves_is_left_alone() -> None:
    part = _part(constant=True)
    labels = [
        x for one in with_synthetic_faults([part], [part], SCHEMA) for x in one.recording.labels
    ]
    assert {label.signals for label in labels} == {("hot",)}


def test_too_short_a_recording_has_no_room() -> None:
    short = _part(samples=260)
    assert list(with_synthetic_faults([short], [short], SCHEMA)) == []


def test_equal_recordings_are_disturbed_equally() -> None:
    part = _part()
    pairs = zip(
        with_synthetic_faults([part], [part], SCHEMA),
        with_synthetic_faults([part], [part], SCHEMA),
        strict=True,
    )
    for one, other in pairs:
        np.testing.assert_array_equal(one.recording.values, other.recording.values)
