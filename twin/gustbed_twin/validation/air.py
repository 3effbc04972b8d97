"""Claims about the wind and wakes."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from gustbed_twin.farms.variable_speed import VariableSpeedFarm
from gustbed_twin.filters import Floats
from gustbed_twin.turbine.model import prepare_model
from gustbed_twin.turbine.variable_speed import VariableSpeedType
from gustbed_twin.validation.claim import Claim
from gustbed_twin.wake.table import wake_state
from gustbed_twin.wind.kaimal import kaimal
from gustbed_twin.wind.site import Conditions

MEAN, INTENSITY = 12.0, 0.12
SEEDS, TURBINES, SERIES_S, BURN_S = 16, 12, 600, 120
BANDS = np.geomspace(0.005, 1.0, 9)
SPECTRUM_BOUND, INTENSITY_BOUND = 0.15, 0.07
FLORIS_KW = {"jensen": (1753.95, 767.29, 577.58), "gauss": (1753.95, 710.44, 741.64)}
"""FLORIS's own machine, three in a row at 5 D and 8 m/s; Gauss with 10 % turbulence."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Averaged over 10-minute series: bands' frequencies (Hz), measured and Kaimal (m²/s)."""

    frequency: Floats
    measured: Floats
    kaimal: Floats
    intensities: Floats
    low_coherence: float
    high_coherence: float


def measure_spectrum(turbine_type: VariableSpeedType) -> Spectrum:
    """Series of the nacelle anemometers of farms with different seeds."""
    machine = prepare_model(turbine_type, MEAN)
    conditions = Conditions(mean=MEAN, turbulence=INTENSITY, shear=0.0)
    column = machine.channels.index("wind_speed")
    series = []
    for seed in range(SEEDS):
        farm = VariableSpeedFarm(machine, seed, range(TURBINES), conditions)
        farm.advance(BURN_S * turbine_type.rate_hz)
        series.append(farm.advance(SERIES_S * turbine_type.rate_hz)[:, column])
    rows = np.array(series)
    intensities = rows.std(axis=2) / rows.mean(axis=2)
    transformed = np.fft.rfft(rows - rows.mean(axis=2, keepdims=True), axis=2)
    frequency = np.fft.rfftfreq(rows.shape[2], 1.0 / turbine_type.rate_hz)
    density = (
        2.0 * (np.abs(transformed) ** 2).mean(axis=(0, 1)) / rows.shape[2] / turbine_type.rate_hz
    )
    of_band = [(low <= frequency) & (frequency < high) for low, high in pairwise(BANDS)]
    expected = kaimal(frequency, MEAN, MEAN * INTENSITY)
    return Spectrum(
        np.sqrt(BANDS[:-1] * BANDS[1:]),
        np.array([density[band].mean() for band in of_band]),
        np.array([expected[band].mean() for band in of_band]),
        intensities.ravel(),
        _coherence(transformed, frequency < 0.005),
        _coherence(transformed, (frequency > 0.1) & (frequency < 1.0)),
    )


def wind_claims(spectrum: Spectrum) -> list[Claim]:
    """Spectrum, intensity, coherence."""
    ratio = spectrum.measured / spectrum.kaimal
    worst = float(ratio[np.argmax(np.abs(ratio - 1.0))])
    intensity = float(spectrum.intensities.mean())
    count = len(spectrum.intensities)
    return [
        Claim(
            f"spectrum of {count} ten-minute series against IEC Kaimal, 0.005–1 Hz in 8 bands",
            f"±{SPECTRUM_BOUND:.0%} in each",
            f"worst {worst - 1.0:+.1%}",
            abs(worst - 1.0) <= SPECTRUM_BOUND,
        ),
        Claim(
            f"their mean turbulence intensity against the {INTENSITY:.0%} asked for "
            "(ten minutes hold about 96 % of Kaimal's deviation)",
            f"±{INTENSITY_BOUND:.0%}",
            f"{intensity:.2%}, {intensity / INTENSITY - 1.0:+.1%}",
            abs(intensity / INTENSITY - 1.0) <= INTENSITY_BOUND,
        ),
        Claim(
            "neighbours' coherence: together below 0.005 Hz, apart above 0.1 Hz",
            "above 0.4, below 0.1",
            f"{spectrum.low_coherence:.2f}, {spectrum.high_coherence:.2f}",
            spectrum.low_coherence > 0.4 and spectrum.high_coherence < 0.1,
        ),
    ]


def wake_claims(turbine_type: VariableSpeedType) -> list[Claim]:
    """Three in a row, against FLORIS's figures for its own machine."""
    spacing = 5.0 * turbine_type.physics.geometry.rotor_diameter_m
    places = np.array([[0.0, 0.0], [spacing, 0.0], [2.0 * spacing, 0.0]])
    claims = []
    for model, figures in FLORIS_KW.items():
        powers = [state.power_kw for state in wake_state(turbine_type, places, 8.0, 270.0, model)]
        errors = [power / figure - 1.0 for power, figure in zip(powers, figures, strict=True)]
        worst = max(errors, key=abs)
        shown = ", ".join(f"{power:.1f}" for power in powers)
        wanted = ", ".join(f"{figure:.1f}" for figure in figures)
        claims.append(Claim(
            f"three in a row, 5 D, 8 m/s, {model}: {wanted} kW by FLORIS",
            "±5 %",
            f"{shown} kW, worst {worst:+.1%}",
            abs(worst) <= 0.05,
        ))  # fmt: skip
    return claims


def _coherence(transformed: Any, band: Any) -> float:
    """Magnitude-squared, of neighbours, averaged over farms, pairs and a band."""
    one, other = transformed[:, :-1][..., band], transformed[:, 1:][..., band]
    cross = np.abs((one * np.conj(other)).mean(axis=(0, 1))) ** 2
    powers = (np.abs(one) ** 2).mean(axis=(0, 1)) * (np.abs(other) ** 2).mean(axis=(0, 1))
    return float((cross[1:] / powers[1:]).mean())
