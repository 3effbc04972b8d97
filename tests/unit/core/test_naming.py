"""Names in the order in which a person counts."""

from gustbed_core.naming import natural


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["wt10", "wt2", "wt1", "a-2-b", "wt100", "a-10-b", "wt", "7", "wt02"]

    assert sorted(names, key=natural) == [
        "7", "a-2-b", "a-10-b", "wt", "wt1", "wt02", "wt2", "wt10", "wt100",
    ]  # fmt: skip
