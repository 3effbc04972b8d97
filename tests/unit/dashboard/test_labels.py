"""Names of types, channels and features, and what belongs together."""

from pathlib import Path

import pytest
import yaml

from gustbed_core.features import FEATURES
from gustbed_core.telemetry import MINI
from gustbed_dashboard import labels
from gustbed_dashboard.components import channel_groups, feature_ranking
from gustbed_dashboard.components.theme import FEATURE_COLOURS, PALETTE, colours
from gustbed_dashboard.site import card_readings

UTILITY_FILE = Path(__file__).parents[3] / "twin" / "gustbed_twin" / "types" / "nrel_5mw.yaml"
SENSORS = {s["name"]: s["unit"] for s in yaml.safe_load(UTILITY_FILE.read_text())["sensors"]}
SYMBOLS = {"degC": "°C", "deg": "°", "m/s2": "m/s²", "1": ""}


@pytest.mark.parametrize("name", SENSORS)
def test_units_are_those_of_the_types_file(name: str) -> None:
    unit = SENSORS[name]
    assert labels.unit(name, labels.NREL_5MW) == SYMBOLS.get(unit, unit)


def test_a_unit_that_nobody_knows_is_not_made_up() -> None:
    assert labels.unit("gearbox_oil_temperature", "crane") == ""
    assert labels.unit("voltage", MINI) == "count"
    assert all(labels.unit(feature.name, MINI) == feature.unit for feature in FEATURES)


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
        ("x" * 500, "skab", "X" + "x" * (labels.MAX_NAME - 1)),
    ],
)
def test_names_are_said_in_words(name: str, kind: str, said: str) -> None:
    assert labels.label(name, kind) == said


def test_types_are_said_in_words() -> None:
    assert [labels.type_words(kind) for kind in (MINI, "nrel_5mw", "my_pump")] == [
        "Miniature",
        "NREL 5 MW",
        "My pump",
    ]


def test_every_channel_is_in_one_chart_of_one_unit_and_few_lines() -> None:
    charts = [
        group
        for names in channel_groups.families(SENSORS).values()
        for group in channel_groups.groups(names, labels.NREL_5MW)
    ]

    assert sorted(name for group in charts for name in group.channels) == sorted(SENSORS)
    assert all(len(group.channels) <= channel_groups.LINES for group in charts)
    assert all(len({SENSORS[name] for name in group.channels}) == 1 for group in charts)
    titles = {group.title: group.channels for group in charts}
    assert titles["Voltage"] == ("voltage_l1", "voltage_l2", "voltage_l3")
    assert titles["Rotor speed"] == ("rotor_speed",), "a generator turns 97 times as fast"
    assert len(titles["Generator temperatures"]) == 5
    assert "ambient_temperature" in titles["Other temperatures"]


def test_families_come_in_one_order_whatever_comes_first() -> None:
    names = ["status", "gearbox_oil_temperature", "wind_speed", "Accelerometer1RMS", "Current"]

    found = channel_groups.families(names)

    assert list(found) == ["Wind", "Electrical", "Vibration", "Temperatures", "Other"]
    assert (
        channel_groups.family("winding_insulation")
        == channel_groups.family("controller_load")
        == "Other"
    )


def test_signals_of_a_stranger_are_grouped_too() -> None:
    names = ["Accelerometer1RMS", "Accelerometer2RMS", "Pressure", "Temperature", "Thermocouple"]

    charts = [
        g
        for part in channel_groups.families(names).values()
        for g in channel_groups.groups(part, "x")
    ]

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
    assert channel_groups.short_labels(names, "x") == short


def test_many_lines_have_different_colours_and_the_miniatures_keep_theirs() -> None:
    names = list(SENSORS)

    painted = colours(names[:: len(names) // len(PALETTE)][: len(PALETTE)], names)

    assert len(set(painted.values())) == len(PALETTE)
    assert colours(["roll", "voltage"], ["voltage"]) == {
        name: FEATURE_COLOURS[name] for name in ("roll", "voltage")
    }


def test_a_card_shows_rotor_power_or_wind_and_else_what_comes_first() -> None:
    assert [s.channel for s in card_readings.shown("nrel_5mw", list(SENSORS))] == [
        "rotor_speed",
        "active_power",
    ]
    assert [s.title for s in card_readings.shown("skab", ["Current", "Pressure"])] == [
        "Current",
        "Pressure",
    ]
    assert card_readings.shown("skab", []) == ()


def test_what_is_shown_stays_until_another_is_clearly_higher() -> None:
    noisy = {"a": 0.50, "b": 0.52, "c": 0.51, "d": 0.1}

    assert feature_ranking.strongest(noisy, 2, before=["a", "c"]) == ["a", "c"]
    assert feature_ranking.strongest({**noisy, "d": 2.0}, 2, before=["a", "c"]) == ["c", "d"]
    assert feature_ranking.strongest(noisy, 2) == ["b", "c"]
    assert feature_ranking.strongest(noisy, 9) == list(noisy)
    assert feature_ranking.strongest(noisy, 2, before=["gone", "a"]) == ["a", "b"]
