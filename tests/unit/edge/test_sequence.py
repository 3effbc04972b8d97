"""Loss, duplicates and reordering are told apart, and one bad number does not poison the rest."""

import random

import pytest

from gustbed_edge.ingest.places import BOOTS, SEQUENCES, Places
from gustbed_edge.ingest.sequence import RETURNS, Arrival, SequenceCounter


def counts(sequence: SequenceCounter) -> tuple[int, int, int, int]:
    return sequence.blocks, sequence.lost, sequence.duplicate, sequence.reordered


def observe(sequence: SequenceCounter, *numbers: int, boot: str = "a") -> list[Arrival]:
    return [sequence.observe(boot, number) for number in numbers]


@pytest.mark.promise("T1")
def test_the_edge_counts_loss_duplicates_and_reordering() -> None:
    sequence = SequenceCounter()
    arrivals = observe(sequence, 0, 1, 4, 3, 4, 5)
    assert arrivals == [
        Arrival.GAP,
        Arrival.NEXT,
        Arrival.GAP,
        Arrival.STALE,
        Arrival.STALE,
        Arrival.NEXT,
    ]
    assert counts(sequence) == (6, 1, 1, 1)


def test_an_edge_that_starts_late_has_lost_nothing() -> None:
    sequence = SequenceCounter()
    observe(sequence, 1000, 1001)
    assert counts(sequence) == (2, 0, 0, 0)


def test_blocks_of_a_new_boot_that_never_came_are_lost() -> None:
    sequence = SequenceCounter()
    observe(sequence, 7, 8)
    assert observe(sequence, 2, 3, boot="b") == [Arrival.GAP, Arrival.NEXT]
    assert sequence.lost == 2


def test_a_late_block_of_the_boot_before_changes_nothing() -> None:
    sequence = SequenceCounter()
    observe(sequence, 0, 1)
    observe(sequence, 0, boot="b")
    assert observe(sequence, 2) == [Arrival.STALE]
    assert observe(sequence, 1, boot="b") == [Arrival.NEXT]


def test_a_single_stray_boot_does_not_shut_the_real_one_out() -> None:
    sequence = SequenceCounter()
    observe(sequence, 0, 1)
    observe(sequence, 0, boot="stray")
    arrivals = observe(sequence, *range(2, 2 + RETURNS + 1))
    assert arrivals[-2:] == [Arrival.GAP, Arrival.NEXT]


def test_two_sources_that_alternate_do_not_flap() -> None:
    sequence = SequenceCounter()
    observe(sequence, 0, boot="old")
    observe(sequence, 0, boot="new")
    arrivals = []
    for number in range(1, 20):
        observe(sequence, number, boot="old")
        arrivals += observe(sequence, number, boot="new")
    assert set(arrivals) == {Arrival.NEXT}


def test_a_number_far_ahead_does_not_make_all_that_follow_stale() -> None:
    sequence = SequenceCounter()
    observe(sequence, 0, 1, 10**12)
    assert observe(sequence, 2, 3, 4) == [Arrival.STALE, Arrival.GAP, Arrival.NEXT]


def test_lost_is_what_never_came_in_any_shuffled_stream() -> None:
    chance = random.Random(5)  # noqa: S311 - a test's dice
    for _ in range(50):
        sent = list(range(200))
        kept = [number for number in sent if number == 0 or chance.random() > 0.1]
        kept += chance.choices(kept, k=10)
        kept = sorted(kept, key=lambda number: number + chance.random() * 20)
        kept.remove(0)
        sequence = SequenceCounter()
        observe(sequence, 0, *kept)
        assert sequence.lost == max(kept) + 1 - len({0, *kept})
        assert sequence.duplicate + sequence.reordered < sequence.blocks
        assert sequence.duplicate == len(kept) + 1 - len({0, *kept})


def restarted(*before: SequenceCounter, turbines: tuple[str, ...]) -> list[SequenceCounter]:
    kept = Places(("wt01", "wt02"), before).kept()
    after = [SequenceCounter() for _ in turbines]
    Places(turbines, after).resume(kept.get(BOOTS), kept.get(SEQUENCES))
    return after


@pytest.mark.promise("T1")
def test_what_an_edge_missed_while_it_was_away_is_lost() -> None:
    first, second = SequenceCounter(), SequenceCounter()
    observe(first, 5, 6, 7)
    again, other = restarted(first, second, turbines=("wt01", "wt02"))
    assert observe(again, 7, 6, 10, 11) == [
        Arrival.STALE,
        Arrival.STALE,
        Arrival.GAP,
        Arrival.NEXT,
    ]
    assert counts(again) == (4, 2, 2, 0)
    observe(other, 900)
    assert counts(other) == (1, 0, 0, 0), "of this one nothing is known"


def test_a_turbine_that_began_anew_meanwhile_lost_what_it_sent_since() -> None:
    first = SequenceCounter()
    observe(first, 5)
    again, _ = restarted(first, SequenceCounter(), turbines=("wt01", "wt02"))
    observe(again, 3, boot="b")
    assert again.lost == 3


def test_places_belong_to_names_and_spoilt_ones_are_as_good_as_none() -> None:
    first, second = SequenceCounter(), SequenceCounter()
    observe(first, 5)
    observe(second, 8)
    moved, new = restarted(first, second, turbines=("wt02", "wt03"))
    assert (moved.place, new.place) == (("a", 8), ("", -1))
    for boots, numbers in ((b"{", b"12345678"), (b"{}", b"123"), (b'{"wt01":"a"}', b"")):
        Places(("wt01",), [new]).resume(boots, numbers)
        assert new.place == ("", -1)
    assert Places(("wt01",), [new]).kept() == {}
