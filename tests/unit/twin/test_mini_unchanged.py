"""The miniature's values are what the edge's factory model was trained on: not a bit may change."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from gustbed_core.channels import CHANNEL_INDEX, CHANNELS
from gustbed_core.codec import encode
from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings
from gustbed_core.telemetry import Samples, block_from_samples
from gustbed_core.violations import Violation
from gustbed_twin.farm import Farm
from gustbed_twin.make import make_source
from gustbed_twin.settings import TwinSettings
from gustbed_twin.turbine_types import FOLDER_VARIABLE, MiniType, load_type, read_type, type_files
from gustbed_twin.wind import WindConfig

VALUES = "d70e612e723370fc4de1278d74467d3848324fc8f063b3bf36fa1f54e1f07075"
"""SHA-256 over 50 s of three turbines, sound and with one fault each."""


def test_the_mini_farm_gives_the_very_values_of_release_one() -> None:
    farm, digest = Farm(42, range(3), WindConfig()), hashlib.sha256()
    for number in range(40):
        if number == 10:
            farm.inject(0, Violation.VIBRATION, 1.0, 2.0)
            farm.inject(1, Violation.ROTATION, 0.7, 2.0)
            farm.inject(2, Violation.VOLTAGE, 0.5, 0.0)
        digest.update(farm.advance(25).tobytes())
    assert digest.hexdigest() == VALUES


def test_a_mini_block_names_no_type_on_the_wire() -> None:
    values = Farm(42, range(1), WindConfig()).advance(1)[0]
    payload = encode(block_from_samples(Samples("wt01", "boot", 0, 0.0, 0.05, values)))
    assert b'"type"' not in payload
    assert payload.startswith(b'{"schema":1,"turbine":"wt01","boot":"boot","seq":0,"t0":0.0,')


def test_the_mini_types_file_says_what_the_code_does() -> None:
    kind = load_type("mini")
    assert isinstance(kind, MiniType)
    assert [(s.name, s.unit, s.description) for s in kind.sensors] == [
        (c.name, c.unit, c.description) for c in CHANNELS
    ]
    usual = WindConfig()
    assert (kind.wind_mean_rps, kind.turbulence) == (usual.mean, usual.turbulence)
    assert kind.machine == Farm(1, range(1), usual).machine


def test_the_miniatures_constants_come_from_its_types_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A type of one's own, with half the voltage, is a file and no code."""
    text = next(path for path in type_files() if path.stem == "mini").read_text(encoding="utf-8")
    mine = text.replace("name: mini", "name: half").replace("29.7", "14.85")
    (tmp_path / "half.yaml").write_text(mine, encoding="utf-8")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    site, voltage = SiteSettings(turbines=1), CHANNEL_INDEX["voltage"]
    means = {}
    for kind in ("mini", "half"):
        source = make_source(TwinSettings(type=kind), site).source
        steps = [source.step() for _ in range(40)]
        assert {step.type for step in steps if step} == {kind}
        means[kind] = np.mean([step.values[0, voltage] for step in steps if step])
    assert means["half"] == pytest.approx(means["mini"] / 2, rel=0.05)


def test_a_miniature_whose_constant_is_wrong_is_named(tmp_path: Path) -> None:
    text = next(path for path in type_files() if path.stem == "mini").read_text(encoding="utf-8")
    path = tmp_path / "bad.yaml"
    path.write_text(text.replace("inertia: 3.7", "inertia: 0"), encoding="utf-8")
    with pytest.raises(GustbedError, match=r"bad\.yaml: machine\.inertia"):
        read_type(path)
