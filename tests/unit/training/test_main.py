"""The command line: exit codes and one line on standard error."""

from pathlib import Path

import pytest

from gustbed_training.__main__ import main


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["brew"],
        ["train"],
        ["train", "--out", "x", "--epochs", "0"],
        ["train", "--out", "x", "--hours", "-1"],
        ["train", "--out", "x", "--margin", "nan"],
        ["evaluate", "--model", "x"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--version", "1.0", "--out", "{}/p"], "version '1.0' is not MAJOR.MINOR.PATCH"),
        (["train", "--name", "Wind Turbine", "--out", "{}/p"], "model name 'Wind Turbine'"),
        (["train", "--data", "{}/none", "--out", "{}/p"], "none: no such folder"),
        (["evaluate", "--model", "{}/none", "--data", "{}"], "none: No such file"),
        (["make-dataset", "--profile", "huge", "--out", "{}/d"], "profile 'huge': one of default"),
    ],
)
def test_failures_are_one_line_and_1(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.format(tmp_path) for argument in arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gustbed-training: ")
    assert words in line


def test_a_truncated_package_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "half.tar.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00")
    assert main(["evaluate", "--model", str(path), "--data", str(tmp_path)]) == 1
    assert "half.tar.gz" in capsys.readouterr().err
