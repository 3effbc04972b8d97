"""A machine's size from ten-minute means of another that is like its type at another size."""

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import read_type
from gustbed_twin.farms.steady import steady_curve
from gustbed_twin.fitting.fit import FitRequest, fit
from gustbed_twin.fitting.scada import steady_states
from gustbed_twin.fitting.scaled import Size, scaled, size_of
from gustbed_twin.fitting.ten_minutes import A_DAY, parse_columns, read_ten_minutes
from gustbed_twin.turbine.rotor_table import read_surface
from gustbed_twin.turbine.variable_speed import load_variable_speed, read_variable_speed

HIDDEN = Size(2100.0, 44.0, 1.18, 15.5, 8.6)
COLUMNS = ("wind_speed=wind", "active_power=kw", "rotor_speed=rpm")
TURBULENCE, DAYS = 0.11, 20


def said(_line: str) -> None:
    """Progress that nobody reads."""


def recording(folder: Path) -> Path:
    """Ten-minute means of the hidden machine: stops, gaps and noise as exports have them."""
    kind, draw = load_variable_speed("nrel_5mw"), np.random.default_rng(4)
    curve = steady_states(kind, HIDDEN, read_surface(Path(kind.folder), kind))
    wind = np.clip(draw.weibull(2.2, DAYS * A_DAY) * 9.0, 0.5, 24.0)
    power, rpm = curve.means(wind, TURBULENCE)
    power = power + draw.normal(0.0, 15.0, len(wind))
    rpm = rpm + draw.normal(0.0, 0.05, len(wind))
    stopped = draw.random(len(wind)) < 0.03
    power[stopped], rpm[stopped] = -2.0, 0.0
    lines = ["time,wind,kw,rpm"]
    for number, row in enumerate(zip(wind, power, rpm, strict=True)):
        text = ",".join(f"{value:.3f}" for value in row)
        lines.append(f"{number},,," if number % 97 == 5 else f"{number},{text}")
    path = folder / "means.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.slow
def test_the_size_is_found_and_drives_a_machine_with_that_curve(tmp_path: Path) -> None:
    request = FitRequest(
        (recording(tmp_path),), "nrel_5mw", tmp_path / "mine.yaml", columns=COLUMNS
    )
    report, _ = fit(request, said)
    for each in report.constants:
        hidden = getattr(HIDDEN, each.name)
        assert each.identified, each.name
        assert each.value == pytest.approx(hidden, rel=0.02), each.name
        assert each.low <= hidden <= each.high, each.name
    power, rpm = report.followed
    assert power.rmse < 20.0
    assert rpm.rmse < 0.1
    assert power.rmse < power.rmse_before
    mine = read_variable_speed(read_type(tmp_path / "mine.yaml"))
    assert mine.physics.rotor.table == "nrel_5mw_rotor.txt"
    calm, strong = steady_curve(mine, [6.0, 16.0])
    assert strong.power_kw == pytest.approx(HIDDEN.rated_power_kw, rel=0.02)
    assert strong.rotor_rpm == pytest.approx(HIDDEN.rated_rpm, rel=0.02)
    assert 0.0 < calm.power_kw < 0.3 * strong.power_kw


def test_a_machine_of_its_own_size_is_itself() -> None:
    physics = load_variable_speed("nrel_5mw").physics
    again = scaled(physics, size_of(physics))
    assert astuple(size_of(again)) == pytest.approx(astuple(size_of(physics)))
    assert again.drivetrain.gearbox_ratio == pytest.approx(physics.drivetrain.gearbox_ratio)
    assert again.torque_control.region2_rad_s == pytest.approx(physics.torque_control.region2_rad_s)
    assert again.pitch_control.kp_s == pytest.approx(physics.pitch_control.kp_s)
    assert np.array(again.steady) == pytest.approx(np.array(physics.steady))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["wind=a"], "--column 'wind=a': write QUANTITY=NAME"),
        (["wind_speed="], "--column"),
        (["wind_speed=a"], "--column: give active_power=NAME too"),
    ],
)
def test_a_wrong_column_is_named(given: list[str], named: str) -> None:
    with pytest.raises(GustbedError, match=named):
        parse_columns(given)


def test_what_a_file_lacks_or_misspells_is_named(tmp_path: Path) -> None:
    path, columns = tmp_path / "means.csv", parse_columns(list(COLUMNS))
    with pytest.raises(GustbedError, match=r"means\.csv: No such file"):
        read_ten_minutes([path], columns)
    path.write_text("wind,kw\n5,300\n", encoding="utf-8")
    with pytest.raises(GustbedError, match=r"means\.csv: no column 'rpm': one of wind, kw"):
        read_ten_minutes([path], columns)
    path.write_text("wind,kw,rpm\n5,300,9\n5,lots,9\n", encoding="utf-8")
    with pytest.raises(GustbedError, match=r"means\.csv: line 3: 'lots' is not a number"):
        read_ten_minutes([path], columns)
    path.write_text("wind,kw,rpm\n" + "5,300,9\n" * A_DAY, encoding="utf-8")
    request = FitRequest((path,), "nrel_5mw", tmp_path / "mine.yaml", columns=COLUMNS)
    with pytest.raises(GustbedError, match="--data: 1 days: give 12 at least"):
        fit(request, said)
    with pytest.raises(GustbedError, match="--column is for types of model variable_speed"):
        fit(FitRequest((path,), "mini", tmp_path / "mine.yaml", columns=COLUMNS), said)


def test_stops_and_gaps_are_not_fitted_to(tmp_path: Path) -> None:
    data = read_ten_minutes([recording(tmp_path)], parse_columns(list(COLUMNS)))
    assert data.wind.shape == (A_DAY, DAYS)
    assert data.values[0][data.known[0]].min() > 0.0
    assert not data.known[:, 5, 0].any()
    assert data.known.mean() > 0.8
