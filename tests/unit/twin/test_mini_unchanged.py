"""The miniature's values are what the edge's factory model was trained on: not a bit may change."""

import hashlib

from gustbed_protocol.channels import CHANNELS
from gustbed_protocol.codec import encode
from gustbed_protocol.telemetry import Samples, block_from_samples
from gustbed_protocol.violations import Violation
from gustbed_twin import turbine
from gustbed_twin.farm import Farm
from gustbed_twin.turbine_types import MiniType, load_type
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
    assert kind.machine == {
        "lift": turbine.LIFT,
        "friction": turbine.FRICTION,
        "load": turbine.LOAD,
        "inertia": turbine.INERTIA,
        "volts_per_rps": turbine.VOLTS_PER_RPS,
    }
