"""What is said of an image's contents, its start and the variables of its build."""

from pathlib import Path

import pytest

from images.__main__ import dot_env, main, settings
from images.catalogue import SITE, named
from images.contents import Package, explain
from images.starts import started_within
from images.table import Row, render


def package(name: str, megabytes: float, *needs: str) -> Package:
    return Package(name, int(megabytes * 1e6), frozenset(needs))


def test_a_large_part_has_its_size_its_purpose_and_who_needs_it() -> None:
    found = [
        package("onnxruntime", 54, "numpy"),
        package("numpy", 50),
        package("gustbed-edge", 6, "onnxruntime", "numpy"),
        package("tiny", 1),
    ]
    assert explain(found) == [
        "onnxruntime 54 MB: scores; for gustbed-edge",
        "numpy 50 MB: arrays; for gustbed-edge, onnxruntime",
        "gustbed-edge 6 MB: our own",
    ]
    optional = Package("gustbed-core", 1, frozenset(), uses=frozenset({"numpy"}))
    assert explain([package("numpy", 50), optional]) == ["numpy 50 MB: arrays; for gustbed-core"]


def test_the_table_says_which_layers_are_stored_once() -> None:
    rows = [
        Row(
            "edge",
            249_000_000,
            "10001:10001",
            ("a", "b", "c"),
            ("numpy 50 MB: arrays",),
            {},
            "--help",
            0.9,
        ),
        Row("twin", 762_000_000, "", ("a", "b", "d"), (), {"twin": 3.21}, "--help", 1.5),
    ]
    first, edge, part, twin, last = render(rows, "linux/amd64").splitlines()
    assert first.endswith("linux/amd64")
    assert edge.split() == ["edge", "249", "MB", "--help", "0.9", "s", "10001:10001"]
    assert part.strip() == "numpy 50 MB: arrays"
    assert "twin 3.2 s, --help 1.5 s" in twin
    assert "root" in twin
    assert last == "2 of their layers are the same in all 2, and stored once"


def test_a_start_ends_with_the_first_good_look_or_a_good_end() -> None:
    at = "2026-11-28T12:00:{}.500000000Z"
    looks = [
        {"End": "2026-11-28T12:00:01.5+00:00", "ExitCode": 1},
        {"End": "2026-11-28T12:00:02.75+00:00", "ExitCode": 0},
        {"End": "2026-11-28T12:00:17.5+00:00", "ExitCode": 0},
    ]
    state = {"StartedAt": at.format("00"), "Status": "running"}
    assert started_within(state | {"Health": {"Status": "starting", "Log": looks[:1]}}) is None
    assert started_within(state | {"Health": {"Status": "healthy", "Log": looks}}) == 2.25
    ended = {"StartedAt": at.format("00"), "FinishedAt": at.format("03"), "Status": "exited"}
    assert started_within(ended | {"ExitCode": 0}) == 3.0
    assert started_within(ended | {"ExitCode": 1}) is None


def test_without_names_every_image_but_training_is_meant_and_a_sites_for_arm64() -> None:
    assert "training" not in [image.name for image in named([], "linux/amd64")]
    assert tuple(image.name for image in named([], "linux/arm64")) == SITE
    assert [image.name for image in named(["training"], "linux/amd64")] == ["training"]
    with pytest.raises(ValueError, match="no image egde: one of broker"):
        named(["egde"], "linux/amd64")


def test_a_wrong_name_is_one_line_and_not_built(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "egde"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_environment_goes_before_what_the_checkout_says(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# a comment\nPYTHON_IMAGE=local/python:1\nTORCH_INDEX_URL=\n")
    assert dot_env(file) == {"PYTHON_IMAGE": "local/python:1", "TORCH_INDEX_URL": ""}
    assert dot_env(tmp_path / "none") == {}
    found = settings("x", "", {"PYTHON_IMAGE": "mine", "GUSTBED_TAG": "y", "GUSTBED_VERSION": "9"})
    assert (found["PYTHON_IMAGE"], found["GUSTBED_TAG"], found["GUSTBED_VERSION"]) == (
        "mine",
        "x",
        "9",
    )
    assert settings("", "", {})["GUSTBED_VERSION"] != "unknown"
