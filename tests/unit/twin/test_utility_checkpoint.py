"""A farm is saved, forked for a what-if and cut into shards without losing anything."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from gustbed_core.errors import GustbedError
from gustbed_twin.checkpoints.farm import load_farm, save_farm
from gustbed_twin.farms.variable_speed import VariableSpeedFarm
from gustbed_twin.scenarios.whatif import Outcome, WhatIf, parse_change, what_if
from gustbed_twin.shards import parse_shard, shard_of
from gustbed_twin.wind.request import Wind
from tests.unit.twin.miniatures import mini_farm
from tests.unit.twin.utility import seconds


def test_a_checkpoint_brings_everything_back(farm: VariableSpeedFarm, tmp_path: Path) -> None:
    farm.inject(1, "gearbox_bearing", 0.8, 60.0)
    farm.inject(1, "sensor_stuck", 1.0, 0.0, "pitch")
    farm.control(2, "curtail", 900.0)
    seconds(farm, 33.3)
    path = tmp_path / "deep" / "farm.npz"
    save_farm(farm, path)
    again = load_farm(path)
    assert again.advance(777).tobytes() == farm.advance(777).tobytes()
    assert isinstance(again, VariableSpeedFarm)
    assert again.turbines.state.tobytes() == farm.turbines.state.tobytes()
    assert [each.name for each in path.parent.iterdir()] == ["farm.npz"]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04broken"])
def test_a_broken_checkpoint_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "farm.npz"
    path.write_bytes(content)
    with pytest.raises(GustbedError, match=r"farm.npz: not a checkpoint"):
        load_farm(path)


def powers(outcomes: Sequence[Outcome]) -> list[float]:
    return [each.mean_power_kw for each in outcomes if each.mean_power_kw is not None]


def test_what_if_leaves_the_running_farm_alone(farm: VariableSpeedFarm) -> None:
    seconds(farm, 30)
    twin = farm.fork()
    changes = tuple(parse_change(t, farm) for t in ("wt01:stop", "wt02:curtail=1000"))
    answer = what_if(farm, WhatIf(600.0, Wind(mean=12.0), changes))
    assert [each.mode for each in answer.after] == ["stopped", "running", "running"]
    before, after = powers(answer.before), powers(answer.after)
    assert after[1] < 1100.0
    assert after[2] > before[2]
    assert seconds(farm, 5).tobytes() == seconds(twin, 5).tobytes()


@pytest.mark.parametrize(
    "text",
    ["wt09:stop", "wt01", "wt01:curtail", "wt01:icing=3", "wt01:gremlins", "wt01:sensor_drift"],
)
def test_what_if_refuses_what_it_does_not_know(farm: VariableSpeedFarm, text: str) -> None:
    with pytest.raises(GustbedError) as caught:
        parse_change(text, farm)
    assert text in str(caught.value)


def test_shards_cover_the_farm_once() -> None:
    numbers = [n for part in range(1, 8) for n in shard_of(100, (part, 7))]
    assert numbers == list(range(100))
    for text in ("0/4", "5/4", "x", "1/", ""):
        with pytest.raises(GustbedError, match="--shard"):
            parse_shard("--shard", text)


def test_what_if_of_miniatures_compares_what_they_know() -> None:
    farm = mini_farm(3, range(2))
    farm.advance(400)
    changes = (parse_change("wt01:rotation=1", farm),)
    answer = what_if(farm, WhatIf(60.0, Wind(turbulence=0.05), changes))
    assert (answer.energy_kwh_before, answer.before[0].mean_power_kw) == (None, None)
    assert answer.after[0].max_rotor_rpm < answer.before[0].max_rotor_rpm
    assert farm.sample == 400
    with pytest.raises(GustbedError, match="takes no stop"):
        parse_change("wt01:stop", farm)
    with pytest.raises(GustbedError, match=r"wind\.direction: not for type mini"):
        what_if(farm, WhatIf(1.0, Wind(direction=90.0)))
