"""Names of types, channels and features, and what belongs together."""

import pytest

from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard import labels
from gustbed_dashboard.components import channel_groups, feature_ranking
from gustbed_dashboard.components.theme import PALETTE, colours
from gustbed_dashboard.site.type_catalog import TypeCatalog
from tests.unit.dashboard.messages import KNOWN, MINI, TYPES

UTILITY = KNOWN["nrel_5mw"]
SENSORS = {channel.name: channel.unit for channel in UTILITY.channels}
NAMELESS = TYPES.get("")


def test_a_unit_that_nobody_knows_is_not_made_up() -> None:
    assert labels.unit("gearbox_oil_temperature", TYPES.get("crane")) == ""
    assert labels.unit("gearbox_oil_temperature", UTILITY) == "°C"
    assert labels.unit("voltage", KNOWN[MINI]) == "count"
    assert labels.unit("roll", KNOWN[MINI]) == "°", "pages show angles in degrees"
    assert labels.unit("vibration", KNOWN[MINI]) == "count", "of the accelerations it is made of"


@pytest.mark.parametrize(
    ("name", "type_name", "said"),
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
def test_names_are_said_in_words(name: str, type_name: str, said: str) -> None:
    assert labels.label(name, TYPES.get(type_name)) == said


def test_types_are_said_in_words() -> None:
    assert [labels.type_label(TYPES.get(name)) for name in (MINI, "nrel_5mw", "my_pump", "")] == [
        "Miniature",
        "NREL 5 MW",
        "My pump",
        "",
    ]


def test_every_channel_is_in_one_chart_of_one_unit_and_few_lines() -> None:
    charts = [
        chart
        for names in channel_groups.families(list(SENSORS), UTILITY).values()
        for chart in channel_groups.charts(names, UTILITY)
    ]

    assert sorted(name for chart in charts for name in chart.signals) == sorted(SENSORS)
    assert all(len(chart.signals) <= channel_groups.LINES for chart in charts)
    assert all(len({SENSORS[name] for name in chart.signals}) == 1 for chart in charts)
    titles = {chart.title: chart.signals for chart in charts}
    assert titles["Voltage"] == ("voltage_l1", "voltage_l2", "voltage_l3")
    assert titles["Rotor speed"] == ("rotor_speed",), "a generator turns 97 times as fast"
    assert len(titles["Generator temperatures"]) == 5
    assert "ambient_temperature" in titles["Other temperatures"]


def test_families_are_the_types_and_what_it_leaves_out_goes_by_name() -> None:
    names = [*KNOWN[MINI].channel_names, "vibration", "roll", "pitch", "yaw"]

    found = channel_groups.families(names, KNOWN[MINI])

    assert found["Wind"] == ["wind_speed_rps"]
    assert found["Vibration"] == ["vibration"]
    assert list(found)[-1] == "Other"
    (attitude,) = channel_groups.charts(found["Pitch and yaw"], KNOWN[MINI])
    assert (attitude.title, attitude.unit) == ("Roll, pitch, yaw", "°"), "of the same channels"


def test_families_of_a_type_without_a_file_come_in_one_order_whatever_comes_first() -> None:
    names = ["status", "gearbox_oil_temperature", "wind_speed", "Accelerometer1RMS", "Current"]

    found = channel_groups.families(names, TYPES.get("skab", names))

    assert list(found) == ["Wind", "Electrical", "Vibration", "Temperatures", "Other"]
    family = channel_groups.family
    assert family("winding_insulation") == family("controller_load") == "Other"


def test_signals_of_a_stranger_are_grouped_too() -> None:
    names = ["Accelerometer1RMS", "Accelerometer2RMS", "Pressure", "Temperature", "Thermocouple"]
    families = channel_groups.families(names, NAMELESS)

    charts = [c for part in families.values() for c in channel_groups.charts(part, NAMELESS)]

    assert [(chart.title, len(chart.signals)) for chart in charts] == [
        ("Accelerometer", 2),
        ("Temperatures", 2),
        ("Pressure", 1),
    ]


@pytest.mark.parametrize(
    ("names", "turbine_type", "short"),
    [
        (["voltage_l1", "voltage_l2"], UTILITY, ["L1", "L2"]),
        (["gearbox_oil_temperature", "gearbox_bearing_temperature"], UTILITY, ["Oil", "Bearing"]),
        (
            ["tower_acceleration_fa", "tower_acceleration_ss"],
            UTILITY,
            ["Fore-aft", "Side-side"],
        ),
        (["pitch", "pitch_demand"], NAMELESS, ["Pitch", "Pitch demand"]),
        (["status"], NAMELESS, ["Status"]),
        (["a_b", "a__b"], NAMELESS, ["A b", "A b"]),
    ],
)
def test_legends_leave_out_what_all_share(
    names: list[str], turbine_type: TurbineType, short: list[str]
) -> None:
    assert channel_groups.short_labels(names, turbine_type) == short


def test_many_lines_have_different_colours() -> None:
    names = list(SENSORS)

    painted = colours(names[:: len(names) // len(PALETTE)][: len(PALETTE)], names)

    assert len(set(painted.values())) == len(PALETTE)
    assert colours(["b"], ["a", "b"]) == {"b": PALETTE[1]}, "whatever else is drawn"


def test_a_card_of_a_type_without_a_file_shows_rotor_power_or_wind_else_what_comes_first() -> None:
    def card(*columns: str) -> list[tuple[str, str]]:
        return [(r.channel, r.title) for r in TYPES.get("skab", columns).card]

    assert card(*SENSORS) == [("rotor_speed", "Rotor"), ("active_power", "Power")]
    assert card("Current", "Pressure") == [("Current", "Current"), ("Pressure", "Pressure")]
    assert card() == []


def test_types_without_a_file_do_not_fill_the_memory() -> None:
    catalog = TypeCatalog({})

    for number in range(1000):
        catalog.get(f"t{number}", ["a"])

    assert len(catalog._guessed) <= 64
    assert catalog.get("t1", ["a"]) is catalog.get("t1", ["a"])


def test_what_is_shown_stays_until_another_is_clearly_higher() -> None:
    noisy = {"a": 0.50, "b": 0.52, "c": 0.51, "d": 0.1}
    strongest = feature_ranking.strongest

    assert strongest(noisy, 2, before=["a", "c"]) == ["a", "c"]
    assert strongest({**noisy, "d": 2.0}, 2, before=["a", "c"]) == ["c", "d"]
    assert strongest(noisy, 2) == ["b", "c"]
    assert strongest(noisy, 9) == list(noisy)
    assert strongest(noisy, 2, before=["gone", "a"]) == ["a", "b"]
