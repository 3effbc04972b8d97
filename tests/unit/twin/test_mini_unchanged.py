"""The miniature's values are what the edge's factory model was trained on: not a bit may change."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml

from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import ROTATION, VIBRATION, VOLTAGE
from gustbed_core.settings import SiteSettings
from gustbed_core.turbine_types import read_type, type_files
from gustbed_twin.farms.miniature import MiniatureFarm
from gustbed_twin.publisher.build import build_source
from gustbed_twin.settings import TwinSettings
from gustbed_twin.turbine.miniature_type import read_miniature
from gustbed_twin.wind.miniature import WindConfig
from tests.unit.twin.miniatures import CHANNEL_INDEX, MINI, mini_farm

VALUES = "d70e612e723370fc4de1278d74467d3848324fc8f063b3bf36fa1f54e1f07075"
"""SHA-256 over 50 s of three turbines, sound and with one fault each."""


def test_the_mini_farm_gives_the_very_values_of_release_one() -> None:
    farm, digest = mini_farm(42, range(3), WindConfig()), hashlib.sha256()
    for number in range(40):
        if number == 10:
            farm.inject(0, VIBRATION, 1.0, 2.0)
            farm.inject(1, ROTATION, 0.7, 2.0)
            farm.inject(2, VOLTAGE, 0.5, 0.0)
        digest.update(farm.advance(25).tobytes())
    assert digest.hexdigest() == VALUES


def test_the_mini_types_file_says_what_the_code_does() -> None:
    physics, usual = read_miniature(MINI).physics, WindConfig()
    assert (physics.wind_mean_rps, physics.turbulence) == (usual.mean, usual.turbulence)


def test_the_miniatures_constants_come_from_its_types_file(
    tmp_path: Path,
) -> None:
    """A type of one's own, with half the voltage, is a file and no code."""
    text = next(path for path in type_files() if path.stem == "mini").read_text(encoding="utf-8")
    mine = text.replace("name: mini", "name: half").replace("29.7", "14.85")
    (tmp_path / "half.yaml").write_text(mine, encoding="utf-8")
    site, voltage = SiteSettings(turbines=1, types_dir=tmp_path), CHANNEL_INDEX["voltage"]
    means = {}
    for kind in ("mini", "half"):
        source = build_source(TwinSettings(type=kind), site).source
        steps = [source.step() for _ in range(40)]
        assert {step.type for step in steps if step} == {kind}
        means[kind] = np.mean([step.values[0, voltage] for step in steps if step])
    assert means["half"] == pytest.approx(means["mini"] / 2, rel=0.05)


def test_a_miniature_whose_constant_is_wrong_is_named(tmp_path: Path) -> None:
    text = next(path for path in type_files() if path.stem == "mini").read_text(encoding="utf-8")
    path = tmp_path / "bad.yaml"
    path.write_text(
        text.replace("name: mini", "name: bad").replace("inertia: 3.7", "inertia: 0"),
        encoding="utf-8",
    )
    with pytest.raises(GustbedError, match=r"bad\.yaml: physics\.machine\.inertia"):
        read_miniature(read_type(path))


def test_a_miniature_with_other_channel_names_measures_the_same(tmp_path: Path) -> None:
    data = yaml.safe_load(next(p for p in type_files() if p.stem == "mini").read_text("utf-8"))
    data["name"], kept = "few", [data["channels"][2], data["channels"][0]]
    data["channels"] = [{**channel, "name": f"my_{channel['name']}", "of": channel["name"]}
                        for channel in kept]  # fmt: skip
    for section in (
        "features",
        "violations",
        "drivers",
        "inertia",
        "individuals",
        "groups",
        "card",
        "aggregates",
    ):
        data.pop(section)
    (tmp_path / "few.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    few = read_miniature(read_type(tmp_path / "few.yaml"))
    values = MiniatureFarm(few, 5, range(2), WindConfig(), 20).advance(50)
    assert few.turbine_type.channel_names == ("my_voltage", "my_rps")
    assert np.array_equal(values, mini_farm(5, range(2)).advance(50)[:, [2, 0]])
