"""An NREL 5 MW turbine whose constants are hidden, and the twin that is fitted to it."""

from dataclasses import replace
from pathlib import Path

import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import read_type
from gustbed_twin.fitting.fit_variable_speed import fit_variable_speed
from gustbed_twin.fitting.hidden import Hidden, hidden_utility
from gustbed_twin.fitting.write_type import base_file, write_type
from gustbed_twin.turbine.variable_speed import load_variable_speed, read_variable_speed

NREL = load_variable_speed("nrel_5mw")
MINUTES, WITHIN = 20.0, 0.02
SLOW = ("nacelle", "hub", "transformer")
"""Parts that warm up over hours, of which two thirds of an hour cannot tell."""


def said(_line: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def machine() -> Hidden:
    """The first of a farm."""
    [found] = hidden_utility(21, [0], MINUTES)
    return found


def test_what_can_be_told_is_found_and_the_rest_is_said(machine: Hidden, tmp_path: Path) -> None:
    report, change = fit_variable_speed(machine.recorded, NREL, said)
    found = {each.name: each for each in report.constants}
    assert found.keys() == machine.constants.keys()
    told = [name for name, each in found.items() if each.identified]
    missed = {n for n in told if not found[n].low <= machine.constants[n] <= found[n].high}
    for name in told:
        assert found[name].value == pytest.approx(machine.constants[name], rel=WITHIN), name
    # Of a dozen independent fits at 95 % one may miss; the constants of a part miss together.
    assert len({name.partition(".")[0] for name in missed}) <= 1
    main = {"air_density_kg_m3", "inertia_kg_m2", "losses", "line_voltage_v"}
    assert main <= set(told) - missed
    for name in found.keys() - set(told):
        assert "do not tell it" in found[name].why, name
    assert {"generator_stator.load_k", "gearbox_bearing.time_s"} <= set(told)
    assert {f"{part}.idle_k" for part in SLOW}.isdisjoint(told)
    for channel in report.followed[:3]:
        assert channel.rmse < 0.3 * channel.rmse_before, channel.channel
        assert channel.coverage > 0.75, channel.channel
    write_type(base_file("nrel_5mw", None), tmp_path / "mine.yaml", "Mine", change, report)
    mine = read_variable_speed(read_type(tmp_path / "mine.yaml")).physics
    assert mine.rotor.inertia_kg_m2 == pytest.approx(found["inertia_kg_m2"].value)
    assert mine.drivetrain.efficiency == pytest.approx(1.0 - found["losses"].value)
    assert mine.torque_control == NREL.physics.torque_control


def test_recordings_that_cannot_be_fitted_are_named(machine: Hidden) -> None:
    first = machine.recorded[0]
    slow = replace(first, rate_hz=10.0)
    with pytest.raises(GustbedError, match=r"wind 8\.5: 10 Hz: give one of 20 Hz"):
        fit_variable_speed([slow], NREL, said)
    brief = replace(first, values=first.values[:, : 8 * 60 * 20])
    with pytest.raises(GustbedError, match="--data: 6 minutes: give 16 at least"):
        fit_variable_speed([brief], NREL, said)
    stands = replace(first, values=first.values.copy())
    stands.values[NREL.turbine_type.channel_names.index("status"), 10_000:] = 4.0
    with pytest.raises(GustbedError, match=r"wind 8\.5: the machine does not run all the time"):
        fit_variable_speed([stands], NREL, said)
