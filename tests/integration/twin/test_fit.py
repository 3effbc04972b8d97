"""A twin fitted to recordings of machines whose constants are hidden from it."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import load_type, read_type
from gustbed_twin.__main__ import main
from gustbed_twin.fitting.fit import FitRequest, fit
from gustbed_twin.fitting.fit_miniature import fit_miniature
from gustbed_twin.fitting.hidden import hidden_miniatures
from gustbed_twin.turbine.miniature_type import read_miniature

MINI = load_type("mini")
MINUTES = 12.0
WITHIN = 0.02


def said(_line: str) -> None:
    """Progress that nobody reads."""


@pytest.mark.parametrize("row", [0, 4])
def test_hidden_constants_are_found_and_the_intervals_hold_them(row: int) -> None:
    [machine] = hidden_miniatures(21, [row], MINUTES)
    report, _ = fit_miniature(machine.recorded, read_miniature(MINI), said)
    found = {each.name: each for each in report.constants}
    for name, hidden in machine.constants.items():
        each = found[name]
        assert each.identified, name
        assert each.value == pytest.approx(hidden, rel=WITHIN), name
        assert each.low <= hidden <= each.high, name
    rps, voltage = report.followed
    assert (rps.channel, voltage.channel) == ("rps", "voltage")
    for channel in report.followed:
        assert channel.rmse < channel.rmse_before
        assert channel.coverage == pytest.approx(0.95, abs=0.04)
        assert abs(channel.bias) < 0.2 * channel.rmse


def test_what_one_wind_does_not_tell_is_said_and_not_guessed() -> None:
    [machine] = hidden_miniatures(21, [1], 20.0, (2.15,))
    report, _ = fit_miniature(machine.recorded, read_miniature(MINI), said)
    found = {each.name: each for each in report.constants}
    assert not found["load"].identified
    assert "do not tell it" in found["load"].why
    assert found["load"].value == pytest.approx(found["load"].start, rel=0.05)
    assert found["lift"].identified
    assert found["lift"].value == pytest.approx(machine.constants["lift"], rel=WITHIN)


def generate(out: Path, wind: float, hours: float, *more: str) -> Path:
    size = ["--turbines", "1", "--hours", str(hours), "--seed", "7", "--wind-mean", str(wind)]
    assert main(["generate", *size, "--variation", "0.1", "--out", str(out), *more]) == 0
    return out


def test_the_fitted_file_is_a_type_that_drives_the_twin(tmp_path: Path) -> None:
    data = tuple(generate(tmp_path / f"at {wind}", wind, 0.15) for wind in (1.3, 3.2))
    lines = list[str]()
    report, picture = fit(FitRequest(data, "mini", tmp_path / "mine.yaml"), lines.append)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert any("segments" in line for line in lines)
    text = (tmp_path / "mine.yaml").read_text(encoding="utf-8")
    assert f"# lift: {report.constants[0].value:.6g}, 95 %" in text
    mine = read_miniature(read_type(tmp_path / "mine.yaml"))
    assert mine.physics.machine.lift == pytest.approx(report.constants[0].value, rel=1e-5)
    assert mine.physics.follows.keys() == {"rps", "voltage"}
    assert (mine.turbine_type.name, mine.turbine_type.schema.feature_names) == (
        "mine", MINI.schema.feature_names,
    )  # fmt: skip
    again = generate(tmp_path / "again", 2.15, 0.01, "--type", str(tmp_path / "mine.yaml"))
    assert yaml.safe_load((again / "dataset.json").read_text("utf-8"))["type"] == "mine"


@pytest.mark.parametrize(
    ("out", "named"),
    [("mine.json", "name a .yaml file"), ("My Own.yaml", "lower-case"), ("no/mine.yaml", "folder")],
)
def test_a_file_that_cannot_be_written_is_refused_before_any_work(
    out: str, named: str, tmp_path: Path
) -> None:
    with pytest.raises(GustbedError, match=named):
        fit(FitRequest((tmp_path,), "mini", tmp_path / out), said)


def test_bad_recordings_are_named_with_what_to_do(tmp_path: Path) -> None:
    request = FitRequest((tmp_path,), "mini", tmp_path / "mine.yaml", "wt03")
    with pytest.raises(GustbedError, match=r"--data .*: no wt03\.parquet in it: --turbine NAME"):
        fit(request, said)
    with pytest.raises(GustbedError, match=r"none\.csv: no such file"):
        fit(FitRequest((tmp_path / "none.csv",), "mini", tmp_path / "mine.yaml"), said)
    short = generate(tmp_path / "short", 2.15, 0.005)
    with pytest.raises(GustbedError, match=r"wt01\.parquet: shorter than 87 s"):
        fit(FitRequest((short,), "mini", tmp_path / "mine.yaml"), said)
    brief = generate(tmp_path / "brief", 2.15, 0.1)
    with pytest.raises(GustbedError, match="--data: 5 whole minutes: give 12 at least"):
        fit(FitRequest((brief,), "mini", tmp_path / "mine.yaml"), said)


def test_a_turbine_that_stands_still_cannot_be_fitted() -> None:
    [machine] = hidden_miniatures(21, [0], 3.0, (2.15,))
    still = machine.recorded[0]
    still.values[:2] = 0.0
    with pytest.raises(GustbedError, match="counts of rotor and wind never change"):
        fit_miniature([still], read_miniature(MINI), said)
    assert np.isfinite(still.values).all()
