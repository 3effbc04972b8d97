"""A twin beside a turbine: quiet while it is sound, and heard where no single channel speaks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import ROTATION, VOLTAGE
from gustbed_core.events import AnomalyEvent
from gustbed_core.mirror import Mirrored, is_mirrors
from gustbed_core.settings import SiteSettings
from gustbed_core.telemetry import Samples
from gustbed_core.turbine_types import TurbineType
from gustbed_twin.filters import Floats
from gustbed_twin.mirror.residuals import DECISION, LIMIT_Z, kinds_of
from gustbed_twin.mirror.service import Mirror, Said, load_mirror
from tests.unit.twin.miniatures import CHANNEL_INDEX, CHANNEL_NAMES, MINI, mini_farm

BLOCK = 200
RPS, VOLTS = CHANNEL_INDEX["rps"], CHANNEL_INDEX["voltage"]


@dataclass
class Live:
    """A turbine, its twin, and all that was said and read since the last look."""

    seed: int = 3
    seq: int = 0

    def __post_init__(self) -> None:
        self.farm = mini_farm(self.seed, [0])
        self.mirror = Mirror(fitted(self.farm.traits.efficiency[0], self.farm.traits.generator[0]),
                             SiteSettings(), "wt01")  # fmt: skip

    def run(self, minutes: float) -> tuple[list[Said], Floats]:
        said, read = list[Said](), list[Floats]()
        for _ in range(round(minutes * 60 * 20 / BLOCK)):
            read.append(self.farm.advance(BLOCK)[0])
            said += self.feed(read[-1])
        return said, np.concatenate(read, axis=1)

    def feed(self, values: Floats, boot: str = "b") -> Iterator[Said]:
        block = Samples(
            "wt01", boot, self.seq, self.seq * 10.0, 0.05, values, "mini", CHANNEL_NAMES
        )
        self.seq += 1
        return self.mirror.take(block)


def fitted(efficiency: float, generator: float) -> TurbineType:
    """The type of a machine as a fit would find it, and how well it follows."""
    machine = dict(MINI.physics["machine"])
    machine["lift"] *= float(efficiency)
    machine["volts_per_rps"] *= float(generator)
    follows = {"rps": 0.0008, "voltage": 0.13}
    return replace(MINI, physics={**MINI.physics, "machine": machine, "follows": follows})


def minutes(said: list[Said]) -> list[Mirrored]:
    return [each for each in said if isinstance(each, Mirrored)]


def events(said: list[Said]) -> list[AnomalyEvent]:
    return [each for each in said if isinstance(each, AnomalyEvent)]


def test_a_sound_turbine_is_as_its_twin_expects_minute_after_minute() -> None:
    said, _ = Live().run(20.0)
    found = minutes(said)
    assert len(found) == 19
    assert events(said) == []
    assert np.diff([each.t for each in found]) == pytest.approx(60.0)
    z = np.array([[channel.z for channel in each.channels.values()] for each in found])
    assert (np.abs(z.mean(axis=0)) < 1.0).all()
    assert (z.std(axis=0) < 1.5).all()
    for each in found:
        assert (each.limit, each.open) == (LIMIT_Z, [])
        for channel in each.channels.values():
            residual = channel.measured - channel.expected
            assert channel.residual == pytest.approx(residual, abs=1e-5)
    judged = [channel.judged for channel in found[-1].channels.values()]
    assert judged == pytest.approx(z[-DECISION.smooth :].mean(axis=0).tolist(), abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "severity", "row"), [(ROTATION, 0.02, RPS), (VOLTAGE, 0.04, VOLTS)]
)
def test_a_fault_that_no_threshold_on_a_channel_sees_opens_an_event_and_closes_it(
    kind: str, severity: float, row: int
) -> None:
    live = Live()
    said, sound = live.run(15.0)
    assert events(said) == []
    live.farm.inject(0, kind, severity, 0.0)
    said, faulty = live.run(8.0)
    # Readings keep well within what a sound turbine's do: no threshold on them can tell.
    low, high = sound[row].min(), sound[row].max()
    beyond = np.maximum(faulty[row] - high, low - faulty[row]).max()
    assert beyond < 0.25 * (high - low)
    assert abs(faulty[row].mean() - sound[row].mean()) < 0.5 * sound[row].std()
    opened = events(said)[0]
    assert (opened.change, opened.kind, opened.turbine) == ("opened", kind, "wt01")
    assert opened.signals == [CHANNEL_NAMES[row]]
    assert opened.peak_score > 1.0
    assert {each.id for each in events(said)} == {opened.id}
    assert is_mirrors(opened)
    # Whoever hears a minute has heard of its open events before.
    named = next(each for each in minutes(said) if each.open)
    assert named.open == [opened.id]
    assert said.index(opened) < said.index(named)
    live.farm.clear(0, None, 0.0)
    said, _ = live.run(10.0)
    closed = events(said)[-1]
    assert (closed.id, closed.change) == (opened.id, "closed")
    assert closed.closed is not None
    assert closed.closed > opened.opened
    assert minutes(said)[-1].open == []


def test_after_a_gap_or_a_new_start_the_twin_takes_its_time_again() -> None:
    live = Live()
    said, _ = live.run(3.0)
    assert minutes(said)
    live.seq += 1
    said, _ = live.run(1.4)
    assert said == []
    said, _ = live.run(0.4)
    assert len(minutes(said)) == 1
    assert list(live.feed(live.farm.advance(BLOCK)[0], boot="c")) == []
    assert live.run(1.0)[0] == []


def test_a_turbine_that_stands_still_has_no_residual() -> None:
    live = Live()
    still = np.zeros((len(CHANNEL_NAMES), BLOCK))
    said = [each for _ in range(10) for each in live.feed(still)]
    assert said == ["the counts of rotor and wind never change"]


def test_a_block_without_a_channel_and_a_type_that_is_not_fitted_are_refused() -> None:
    live = Live()
    block = Samples("wt01", "b", 0, 0.0, 0.05, np.zeros((1, 10)), "mine", ("rps",))
    with pytest.raises(GustbedError, match="wt01: its blocks have no wind_speed_rps"):
        list(live.mirror.take(block))
    with pytest.raises(GustbedError, match=r"mini\.yaml: physics\.follows: no rps: give a type"):
        load_mirror(MINI)
    other = replace(MINI, physics={"model": "variable_speed"}, folder=Path())
    with pytest.raises(GustbedError, match="a mirror follows types of model miniature"):
        load_mirror(other)


def test_a_channel_speaks_for_the_kinds_of_the_type() -> None:
    assert kinds_of(MINI, ("rps", "voltage")) == {ROTATION: ("rps",), VOLTAGE: ("voltage",)}
    assert kinds_of(MINI, ("gearboxtemp",)) == {"sensor": ("gearboxtemp",)}
