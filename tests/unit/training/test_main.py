"""The command line: exit codes, one line on standard error, JSON alone on standard output."""

import json
from pathlib import Path

import pytest

from gustbed_core.package import read_package
from gustbed_training.__main__ import main
from gustbed_training.detectors.registry import DETECTORS
from gustbed_training.pipeline import commands
from gustbed_training.pipeline.steps import BASELINE
from tests.unit.training.toy import FAULTY, Mean, write_captures, write_dataset


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DETECTORS, "mean", Mean)
    monkeypatch.setitem(DETECTORS, "weak", lambda: Mean(weaken=0.9))
    monkeypatch.setitem(DETECTORS, BASELINE, Mean)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["brew"],
        ["train"],
        ["train", "--out", "x", "--epochs", "0"],
        ["train", "--out", "x", "--hours", "-1"],
        ["train", "--out", "x", "--false-per-day", "nan"],
        ["evaluate", "--data", "x"],
        ["import", "--out", "x", "a.csv"],
        ["drift", "--model", "x"],
        ["drift", "--model", "x", "--data", "y", "--captures", "z"],
        ["compare", "--seeds", "1,1"],
        ["compare", "--seeds", "one"],
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
        (["train", "--detector", "oracle", "--out", "{}/p"], "detector 'oracle'"),
        (["train", "--type", "v236", "--out", "{}/p"], "turbine type 'v236'"),
        (["train", "--normal", "x", "--out", "{}/p"], "--normal without --captures"),
        (["evaluate", "--model", "{}/none", "--data", "{}"], "none: No such file"),
        (["compare", "--detectors", "oracle", "--data", "{}"], "detector 'oracle'"),
        (["describe", "--data", "{}"], "no .parquet or .csv recording"),
        (["make-dataset", "--profile", "huge", "--out", "{}/d"], "profile 'huge': one of mini"),
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


def test_an_interruption_is_130_and_says_that_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(commands.COMMANDS, "describe", interrupt)
    assert main(["describe", "--data", "x"]) == 130
    assert "nothing is half written" in capsys.readouterr().err


def test_every_command_does_something() -> None:
    from gustbed_training.__main__ import parser

    (choices,) = (a.choices for a in parser()._actions if a.dest == "command")
    assert choices is not None
    assert set(choices) == {*commands.COMMANDS, "sagemaker"}


@pytest.mark.usefixtures("toys")
def test_training_and_judging_print_one_json_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = write_dataset(tmp_path / "toy", ((), (), FAULTY)), tmp_path / "p.tar.gz"
    common = ("--home", str(tmp_path / "home"), "--json", "--data", str(data))
    assert main(["train", "--detector", "mean", "--no-record", "--out", str(out), *common]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["name"], printed["version"], printed["gate"]) == ("toy-type", "1.0.0", "passed")
    assert Path(printed["package"]) == out
    assert printed["metrics"]["event_recall"] == 1.0

    assert main(["evaluate", "--model", str(out), "--data", str(data), "--json"]) == 0
    judged = json.loads(capsys.readouterr().out)
    assert judged["eventwise"]["faults"] == len(FAULTY)
    assert judged["eventwise"]["recall"] == 1.0
    assert {"pointwise", "vus_pr", "care", "microseconds_per_window"} <= judged.keys()

    assert main(["describe", "--data", str(data)]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "toy-type"

    assert main(["drift", "--model", str(out), "--json", "--data", str(data)]) == 0
    assert json.loads(capsys.readouterr().out)["windows"] > 1000

    assert main(["card", str(out)]) == 0
    assert "toy-type 1.0.0" in capsys.readouterr().out


@pytest.mark.usefixtures("toys")
def test_a_refused_model_is_1_and_its_package_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = write_dataset(tmp_path / "toy", ((), (), FAULTY)), tmp_path / "p.tar.gz"
    words = ["train", "--detector", "weak", "--data", str(data), "--out", str(out), "--json"]
    assert main([*words, "--no-record", "--home", str(tmp_path / "home")]) == 1
    printed = capsys.readouterr()
    last = printed.err.splitlines()[-1]
    assert str(out) in last
    assert "quality gate" in last
    assert out.is_file()
    assert json.loads(printed.out)["gate"] != "passed"


@pytest.mark.usefixtures("toys")
def test_a_model_of_another_type_cannot_judge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_dataset(tmp_path / "toy", (FAULTY,))
    factory = Path(__file__).parents[3] / "services/edge/gustbed_edge/factory/windturbine"
    model = str(factory / "package.tar.gz")
    assert main(["evaluate", "--model", model, "--data", str(data)]) == 1
    assert "for turbines of type mini" in capsys.readouterr().err


@pytest.mark.usefixtures("toys")
def test_labels_are_asked_for_unless_only_false_alarms_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_dataset(tmp_path / "toy", labelled=False)
    out = tmp_path / "p.tar.gz"
    common = ["--data", str(data), "--home", str(tmp_path / "home")]
    main(["train", "--detector", "mean", "--no-record", "--out", str(out), *common])
    capsys.readouterr()
    judge = ["evaluate", "--model", str(out), "--data", str(data), "--json"]
    assert main(judge) == 1
    assert "no labels" in capsys.readouterr().err
    assert main([*judge, "--unlabelled"]) == 0
    assert json.loads(capsys.readouterr().out)["vus_pr"] is None


@pytest.mark.usefixtures("toys")
def test_what_edges_captured_retrains_the_model_in_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, home = tmp_path / "first.tar.gz", tmp_path / "home"
    data = write_dataset(tmp_path / "toy", ((), (), FAULTY))
    common = ["--detector", "mean", "--no-record", "--home", str(home)]
    assert main(["train", "--data", str(data), "--out", str(first), *common]) == 0
    lake = write_captures(tmp_path / "lake")
    second = tmp_path / "second.tar.gz"
    words = ["train", "--captures", str(lake), "--type", "toy_type", "--incumbent", str(first)]
    assert main([*words, "--version", "1.1.0", "--out", str(second), *common]) == 0
    manifest = read_package(second.read_bytes()).manifest
    before = read_package(first.read_bytes()).manifest
    assert manifest.training["gate"] == "passed"
    assert "toy-type 1.0.0" in manifest.training["gate_against"]
    assert (manifest.features, manifest.decision) == (before.features, before.decision)
    assert manifest.reference["hot"].mean == pytest.approx(51.0, abs=0.1)
    capsys.readouterr()
    assert main(["drift", "--model", str(first), "--captures", str(lake), "--json",
                 "--home", str(home)]) == 0  # fmt: skip
    drifted = json.loads(capsys.readouterr().out)
    # Half a standard deviation hotter, which windows of ten samples tell well.
    assert (drifted["inputs"], drifted["finding"]) == ("moderate", "misfit")
    hot, amps = drifted["fit"]["features"]
    assert (hot["level"], amps["level"]) == ("moderate", "none")
    # The same captures are not imported twice.
    assert main([*words, "--version", "1.1.0", "--out", str(second), *common]) == 0
    assert "1/6 prepare: cached" in capsys.readouterr().err


@pytest.mark.usefixtures("toys")
def test_a_declared_period_teaches_what_the_model_called_anomalous(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_captures(tmp_path / "lake") / "captures.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"anomalies":0', b'"anomalies":3'))
    out = tmp_path / "new.tar.gz"
    words = ["train", "--captures", str(file.parent), "--type", "toy_type", "--out", str(out),
             "--detector", "mean", "--no-record", "--home", str(tmp_path / "home")]  # fmt: skip
    incumbent = tmp_path / "first.tar.gz"
    data = write_dataset(tmp_path / "toy")
    assert main([*words[:1], "--data", str(data), "--out", str(incumbent), *words[7:]]) == 0
    words += ["--incumbent", str(incumbent)]
    capsys.readouterr()
    assert main(words) == 1
    (line,) = (x for x in capsys.readouterr().err.splitlines() if x.startswith("gustbed-training"))
    assert "the model called 60 anomalous" in line
    assert main([*words, "--normal", "2023-11-14..2023-11-19"]) == 0
    assert "captures: 60 used" in capsys.readouterr().err
    assert read_package(out.read_bytes()).manifest.reference["hot"].mean == pytest.approx(51, abs=1)
    assert main([*words, "--normal", "2023-11-14..never"]) == 1
    assert "'never' is no time" in capsys.readouterr().err
