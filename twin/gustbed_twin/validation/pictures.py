"""A picture per claim, drawn with Matplotlib (extra ``validate``)."""

from pathlib import Path
from typing import Any

import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_twin.farms.variable_speed import VariableSpeedFarm
from gustbed_twin.filters import Floats
from gustbed_twin.turbine.model import prepare_model
from gustbed_twin.turbine.variable_speed import VariableSpeedType
from gustbed_twin.validation.air import Spectrum
from gustbed_twin.validation.signatures import ONSET_S, traces
from gustbed_twin.validation.steady import Compared
from gustbed_twin.wake.table import wake_plane
from gustbed_twin.wind.request import Event
from gustbed_twin.wind.site import Conditions

OURS, THEIRS = "#1f77b4", "#d62728"


def require_matplotlib() -> None:
    """Raise ``GustbedError`` if pictures cannot be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise GustbedError("pictures need matplotlib", "install gustbed-twin[validate]") from error


def draw_power_curve(path: Path, rows: list[Compared]) -> None:
    """Power, pitch, rotor speed and thrust over wind; published as crosses."""
    figure, axes = make_figure(2, 2)
    wind = [row.point.wind_ms for row in rows]
    parts = (
        ("power, kW", [r.point.power_kw for r in rows], [r.power_kw for r in rows]),
        ("rotor, rpm", [r.point.rotor_rpm for r in rows], [r.rotor_rpm for r in rows]),
        ("pitch, °", [r.point.pitch_deg for r in rows], [r.pitch_deg for r in rows]),
        (
            "thrust coefficient",
            [r.point.thrust_coefficient for r in rows],
            [r.thrust_coefficient for r in rows],
        ),
    )
    for axis, (title, ours, published) in zip(axes.ravel(), parts, strict=True):
        axis.plot(wind, ours, color=OURS, label="twin, settled")
        axis.plot(wind, published, "x", color=THEIRS, label="published")
        axis.set_title(title)
        axis.set_xlabel("wind, m/s")
    axes[0, 0].legend(loc="lower right")
    save_figure(figure, path)


def draw_pitch_rate(path: Path, turbine_type: VariableSpeedType) -> None:
    """An extreme operating gust at rated wind, through the whole machine."""
    conditions = Conditions(mean=12.0, turbulence=0.0, direction_spread=0.0,
                            events=(Event(20.0, "eog", 8.0),))  # fmt: skip
    farm = VariableSpeedFarm(prepare_model(turbine_type, 12.0), 1, range(1), conditions)
    names = ("wind_speed", "pitch", "rotor_speed", "active_power")
    rows = []
    for _ in range(60 * turbine_type.rate_hz):
        farm.advance(1)
        rows.append([farm.turbines.truth[name][0] for name in names])
    values = np.array(rows).T
    t = np.arange(values.shape[1]) / turbine_type.rate_hz
    rate = np.diff(values[1], prepend=values[1, 0]) * turbine_type.rate_hz
    figure, axes = make_figure(2, 2)
    parts = (("wind, m/s", values[0]), ("pitch, °", values[1]),
             ("pitch rate, °/s (limit ±8)", rate), ("rotor, rpm", values[2]))  # fmt: skip
    for axis, (title, series) in zip(axes.ravel(), parts, strict=True):
        axis.plot(t, series, color=OURS)
        axis.set_title(title)
        axis.set_xlabel("s")
    save_figure(figure, path)


def draw_spectrum(path: Path, spectrum: Spectrum) -> None:
    """Measured bands and Kaimal; intensities of the series."""
    figure, axes = make_figure(1, 2)
    axes[0].loglog(spectrum.frequency, spectrum.kaimal, color=THEIRS, label="IEC Kaimal")
    axes[0].loglog(spectrum.frequency, spectrum.measured, "o", color=OURS, label="twin")
    axes[0].set_xlabel("Hz")
    axes[0].set_title("wind spectrum, m²/s")
    axes[0].legend(loc="upper right")
    axes[1].hist(spectrum.intensities * 100.0, bins=24, color=OURS)
    axes[1].axvline(12.0, color=THEIRS)
    axes[1].set_title("turbulence intensity of ten minutes, %")
    save_figure(figure, path)


def draw_wakes(path: Path, turbine_type: VariableSpeedType) -> None:
    """The wind at hub height behind three turbines in a row."""
    diameter = turbine_type.physics.geometry.rotor_diameter_m
    places = np.array([[0.0, 0.0], [5.0 * diameter, 0.0], [10.0 * diameter, 0.0]])
    east, north, wind = wake_plane(turbine_type, places, 8.0, 270.0)
    figure, axes = make_figure(1, 1)
    drawn = axes.pcolormesh(east / diameter, north / diameter, wind, shading="nearest")
    axes.plot(places[:, 0] / diameter, places[:, 1] / diameter, "|", color="white", ms=14)
    axes.set_aspect("equal")
    axes.set_title("wind at hub height, m/s: 8 m/s from 270°, gauss")
    axes.set_xlabel("rotor diameters")
    figure.colorbar(drawn, orientation="horizontal", fraction=0.05, pad=0.2)
    save_figure(figure, path)


def draw_signatures(path: Path, turbine_type: VariableSpeedType) -> None:
    """Four faults, each in the signal that gives it away, beside the sound machine."""
    figure, axes = make_figure(2, 2)
    parts = (
        ("gearbox_bearing", 8.0, "gearbox_bearing_temperature"),
        ("icing", 8.0, "active_power"),
        ("hydraulic_leak", 16.0, "hydraulic_pressure"),
        ("blade_imbalance", 8.0, "tower_acceleration_ss"),
    )
    units = {sensor.name: sensor.unit for sensor in turbine_type.channels}
    for axis, (fault, wind, name) in zip(axes.ravel(), parts, strict=True):
        t, both = traces(turbine_type, fault, wind, [name])
        axis.plot(t + ONSET_S, both[0, 1], color=THEIRS, label="faulty", lw=1)
        axis.plot(t + ONSET_S, both[0, 0], color=OURS, label="sound", lw=1)
        axis.set_title(f"{fault}: {name}, {units[name]}", fontsize=9)
        axis.set_xlabel("s")
    axes[0, 0].legend(loc="upper right")
    save_figure(figure, path)


def draw_stop(path: Path, trace: Floats) -> None:
    """Rotor, power and pitch after a stop command."""
    figure, axes = make_figure(1, 3)
    titles = ("rotor, rpm", "power, kW", "pitch, °")
    for axis, title, series in zip(axes, titles, trace[1:], strict=True):
        axis.plot(trace[0, :240], series[:240], color=OURS)
        axis.set_title(f"{title} after a stop", fontsize=9)
        axis.set_xlabel("s")
    save_figure(figure, path)


def make_figure(rows: int, columns: int) -> tuple[Any, Any]:
    """A figure and its axes, each row as high as the others."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 2.9 * rows), layout="constrained")
    return figure, figure.subplots(rows, columns)


def save_figure(figure: Any, path: Path) -> None:
    """Write a PNG; the same figures give the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Its metadata would name the release of Matplotlib.
    figure.savefig(path, dpi=100, metadata={"Software": None})
