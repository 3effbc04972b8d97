"""Names of types, channels and features, and what belongs together."""

from pathlib import Path

import pytest
import yaml

from gustbed_core.features import FEATURES
from gustbed_core.telemetry import MINI
from gustbed_dashboard import grouping, naming, ranking, readings
from gustbed_dashboard.theme import FEATURE_COLOURS, PALETTE, colours

UTILITY_FILE = Path(__file__).parents[3] / "twin" / "gustbed_twin" / "types" / "nrel_5mw.yaml"
SENSORS = {s["name"]: s["unit"] for s in yaml.safe_load(UTILITY_FILE.read_text())["sensors"]}
SYMBOLS = {"degC": "°C", "deg": "°", "m/s2": "m/s²", "1": ""}


@pytest.mark.parametrize("name", SENSORS)
def test_units_are_those_of_the_types_file(name: str) -> None:
    unit = SENSORS[name]
    assert naming.unit(name, naming.NREL_5MW) == SYMBOLS.get(unit, unit)


def test_a_unit_that_nobody_knows_is_not_made_up() -> None:
    assert naming.unit("gearbox_oil_temperature", "crane") == ""
    assert naming.unit("voltage", MINI) == "count"
    assert all(naming.unit(feature.name, MINI) == feature.unit for feature in FEATURES)


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("rps", MINI, "Rotor"),
        ("rps", "crane", "Rps"),
        ("gearbox_bearing_temperature", "nrel_5mw", "Gearbox bearing temperature"),
        ("voltage_l1", "nrel_5mw", "Voltage L1"),
        ("tower_acceleration_fa", "nrel_5mw", "Tower acceleration fore-aft"),
        ("Volume Flow RateRMS", "skab", "Volume Flow RateRMS"),
        ("__", "skab", "Unnamed"),
        ("", "skab", "Unnamed"),
        ("x" * 500, "skab", "X" + "x" * (naming.MAX_NAME - 1)),
    ],
)
def test_names_are_said_in_words(name: str, kind: str, said: str) -> None:
    assert naming.label(name, kind) == said


def test_types_are_said_in_words() -> None:
    assert [naming.type_words(kind) for kind in (MINI, "nrel_5mw", "my_pump")] == [
        "Miniature",
        "NREL 5 MW",
        "My pump",
    ]


def test_every_channel_is_in_one_chart_of_one_unit_and_few_lines() -> None:
    charts = [
        group
        for names in grouping.families(SENSORS).values()
        for group in grouping.groups(names, naming.NREL_5MW)
    ]

    assert sorted(name for group in charts for name in group.channels) == sorted(SENSORS)
    assert all(len(group.channels) <= grouping.LINES for group in charts)
    assert all(len({SENSORS[name] for name in group.channels}) == 1 for group in charts)
    titles = {group.title: group.channels for group in charts}
    assert titles["Voltage"] == ("voltage_l1", "voltage_l2", "voltage_l3")
    assert titles["Rotor speed"] == ("rotor_speed",), "a generator turns 97 times as fast"
    assert len(titles["Generator temperatures"]) == 5
    assert "ambient_temperature" in titles["Other temperatures"]


def test_families_come_in_one_order_whatever_comes_first() -> None:
    names = ["status", "gearbox_oil_temperature", "wind_speed", "Accelerometer1RMS", "Current"]

    found = grouping.families(names)

    assert list(found) == ["Wind", "Electrical", "Vibration", "Temperatures", "Other"]
    assert grouping.family("winding_insulation") == grouping.family("controller_load") == "Other"


def test_signals_of_a_stranger_are_grouped_too() -> None:
    names = ["Accelerometer1RMS", "Accelerometer2RMS", "Pressure", "Temperature", "Thermocouple"]

    charts = [g for part in grouping.families(names).values() for g in grouping.groups(part, "x")]

    assert [(group.title, len(group.channels)) for group in charts] == [
        ("Accelerometer", 2),
        ("Temperatures", 2),
        ("Pressure", 1),
    ]


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["voltage_l1", "voltage_l2"], ["L1", "L2"]),
        (["gearbox_oil_temperature", "gearbox_bearing_temperature"], ["Oil", "Bearing"]),
        (["pitch", "pitch_demand"], ["Pitch", "Pitch demand"]),
        (["status"], ["Status"]),
        (["a_b", "a__b"], ["A b", "A b"]),
    ],
)
def test_legends_leave_out_what_all_share(names: list[str], short: list[str]) -> None:
    assert grouping.short_labels(names, "x") == short


def test_many_lines_have_different_colours_and_the_miniatures_keep_theirs() -> None:
    names = list(SENSORS)

    painted = colours(names[:: len(names) // len(PALETTE)][: len(PALETTE)], names)

    assert len(set(painted.values())) == len(PALETTE)
    assert colours(["roll", "voltage"], ["voltage"]) == {
        name: FEATURE_COLOURS[name] for name in ("roll", "voltage")
    }


def test_a_card_shows_rotor_power_or_wind_and_else_what_comes_first() -> None:
    assert [s.channel for s in readings.shown("nrel_5mw", list(SENSORS))] == [
        "rotor_speed",
        "active_power",
    ]
    assert [s.title for s in readings.shown("skab", ["Current", "Pressure"])] == [
        "Current",
        "Pressure",
    ]
    assert readings.shown("skab", []) == ()


def test_what_is_shown_stays_until_another_is_clearly_higher() -> None:
    noisy = {"a": 0.50, "b": 0.52, "c": 0.51, "d": 0.1}

    assert ranking.strongest(noisy, 2, before=["a", "c"]) == ["a", "c"]
    assert ranking.strongest({**noisy, "d": 2.0}, 2, before=["a", "c"]) == ["c", "d"]
    assert ranking.strongest(noisy, 2) == ["b", "c"]
    assert ranking.strongest(noisy, 9) == list(noisy)
    assert ranking.strongest(noisy, 2, before=["gone", "a"]) == ["a", "b"]
