"""Steady claims: the published power curve, speeds and pitch; and what the raw table would give."""

from dataclasses import dataclass

import numpy as np

from gustbed_twin.farms.steady import SteadyPoint, steady_curve
from gustbed_twin.turbine.rotor_table import raw_cp
from gustbed_twin.turbine.variable_speed import VariableSpeedType
from gustbed_twin.validation.claim import Claim

OUTSIDE = (1.0, 2.0, 2.5, 2.9, 25.2, 26.0, 28.0, 35.0)


@dataclass(frozen=True, slots=True)
class Compared:
    """A steady state beside the published one: power (kW), rotor rpm, pitch (deg), Ct."""

    point: SteadyPoint
    power_kw: float
    rotor_rpm: float
    pitch_deg: float
    thrust_coefficient: float
    cp: float
    raw_cp: float

    @property
    def power_error(self) -> float:
        """Relative."""
        return self.point.power_kw / self.power_kw - 1.0


def compare(turbine_type: VariableSpeedType) -> list[Compared]:
    """Simulate every published wind."""
    points = steady_curve(turbine_type, [row[0] for row in turbine_type.physics.steady])
    rows = []
    for point, (wind, rpm, pitch, power, cp, ct) in zip(
        points, turbine_type.physics.steady, strict=True
    ):
        ratio = rpm * np.pi / 30.0 * turbine_type.physics.geometry.swept_radius_m / wind
        rows.append(Compared(point, power, rpm, pitch, ct, cp, raw_cp(turbine_type, ratio, pitch)))
    return rows


def steady_claims(turbine_type: VariableSpeedType, rows: list[Compared]) -> list[Claim]:
    """The claims of a type that has published steady states."""
    gear = turbine_type.physics.drivetrain.gearbox_ratio
    power = [row.power_error for row in rows]
    worst = int(np.argmax(np.abs(power)))
    rated = [row for row in rows if row.point.wind_ms >= 12.0]
    speed = max(abs(row.point.rotor_rpm / 12.1 - 1.0) for row in rated)
    ratio = max(abs(row.point.generator_rpm / row.point.rotor_rpm / gear - 1.0) for row in rows)
    pitch = [row.point.pitch_deg - row.pitch_deg for row in rated]
    furthest = int(np.argmax(np.abs(pitch)))
    thrust = max(abs(row.point.thrust_coefficient / row.thrust_coefficient - 1.0) for row in rows)
    outside = steady_curve(turbine_type, OUTSIDE)
    return [
        Claim(
            f"steady power at {len(rows)} integer winds, 3–25 m/s, against the published curve",
            "±1 %",
            f"worst {power[worst]:+.2%} at {rows[worst].point.wind_ms:g} m/s",
            abs(power[worst]) <= 0.01,
        ),
        Claim("rated rotor speed 12.1 rpm, 12–25 m/s", "±1 %", f"{speed:.3%}", speed <= 0.01),
        Claim(
            f"generator speed = {gear:g} × rotor speed",
            "0.01 %",
            f"{ratio:.5%}",
            ratio <= 1e-4,
        ),
        Claim(
            "steady pitch, 12–25 m/s",
            "±0.3°",
            f"worst {pitch[furthest]:+.2f}° at {rated[furthest].point.wind_ms:g} m/s",
            abs(pitch[furthest]) <= 0.3,
        ),
        Claim(
            "thrust coefficient, 3–25 m/s (beyond what was asked)",
            "±6 %",
            f"worst {thrust:.1%}",
            thrust <= 0.06,
        ),
        Claim(
            f"no generation at {', '.join(f'{wind:g}' for wind in OUTSIDE)} m/s",
            "0 kW",
            f"{max(point.power_kw for point in outside):g} kW",
            all(point.power_kw <= 0.0 for point in outside),
        ),
    ]
