"""A utility-scale source: commands answered, truth told, blocks delivered at any speed."""

from pathlib import Path

import numpy as np
import pytest

from gustbed_core.codec import Encoding, encode
from gustbed_core.commands import Command
from gustbed_core.event_kinds import VOLTAGE
from gustbed_core.telemetry import Samples, block_from_samples, decode_block
from gustbed_core.turbine_state import Desired
from gustbed_twin.checkpoints.farm import load_farm, load_since
from gustbed_twin.physics.model import FarmPlan
from gustbed_twin.physics.registry import load_physics
from gustbed_twin.publisher.commands import CommandHandler
from gustbed_twin.publisher.farm_source import FarmSource
from gustbed_twin.publisher.impairment import Impairment, ImpairmentShares
from gustbed_twin.publisher.pacing import Clocks, Pacer
from gustbed_twin.scenarios.build import BuiltFarm, build_farm
from gustbed_twin.wind.request import Wind
from tests.unit.twin.utility import IDS


def calm_farm() -> BuiltFarm:
    return build_farm(load_physics("nrel_5mw"), FarmPlan(3, wind=Wind(mean=10.0, turbulence=0.05)))


@pytest.fixture
def source() -> FarmSource:
    return FarmSource(calm_farm(), IDS, 10)


def test_commands_over_the_desk_are_answered(source: FarmSource) -> None:
    desk = CommandHandler(source, IDS)
    for command, accepted in (
        (Command("stop", id="1"), True),
        (Command("curtail", value=2000.0, id="2"), True),
        (Command("curtail", id="3"), False),
        (Command("yaw_offset", value=99.0, id="4"), False),
        (Command("inject", fault="icing", severity=0.5, id="5"), True),
        (Command("inject", fault="gremlins", id="6"), False),
        (Command("inject", fault="sensor_drift", signal="pitch", id="7"), True),
        (Command("inject", VOLTAGE, id="8"), True),
        (Command("clear", id="9"), True),
        (Command("reset", id="10"), True),
    ):
        ack = desk.handle(0, encode(command))
        assert ack is not None
        assert ack.accepted is accepted, ack
        assert bool(ack.reason) is not accepted


def test_desired_state_is_taken_and_reported(source: FarmSource) -> None:
    assert {report.mode for report in source.changed_reports()} == {"running"}
    assert source.changed_reports() == []
    source.take_desired(
        1, Desired(run=False, power_limit_kw=1200.0, yaw_offset_deg=80.0, version=7)
    )
    for _ in range(4):
        source.step()
    [report] = source.changed_reports()
    assert (report.turbine, report.run, report.power_limit_kw) == ("wt02", False, 1200.0)
    assert report.version == 7
    assert "yaw_offset 80" in report.reason


def test_ground_truth_says_what_is_wrong_and_since_when(source: FarmSource) -> None:
    source.step()
    # All is well, and said so: a run before may have left another word retained.
    assert [(t.turbine, t.faults) for t in source.changed_truths(100.0)] == [
        (name, []) for name in IDS
    ]
    assert source.changed_truths(100.5) == []
    source.inject(2, "icing", 1.0, 0.0, "")
    source.inject(2, "sensor_drift", 0.5, 0.0, "pitch")
    for _ in range(4):
        source.step()
    [truth] = source.changed_truths(102.0)
    assert truth.turbine == "wt03"
    assert [(f.kind, f.severity, f.since) for f in truth.faults] == [
        ("icing", 1.0, 102.0),
        ("sensor_drift", 0.5, 102.0),
    ]
    assert truth.faults[1].signals == ["pitch"]
    source.clear(2, None, 0.0)
    for _ in range(4):
        source.step()
    [truth] = source.changed_truths(104.0)
    assert truth.faults == []


def test_a_resumed_farm_still_knows_since_when_its_faults_are_there(
    source: FarmSource, tmp_path: Path
) -> None:
    source.inject(2, "icing", 1.0, 0.0, "")
    source.step()
    source.changed_truths(100.0)
    source.snapshot()(tmp_path / "farm.npz")
    made = calm_farm().resumed(load_farm(tmp_path / "farm.npz"))
    again = FarmSource(made, IDS, 10, load_since(tmp_path / "farm.npz"))
    again.step()
    found = {t.turbine: [(f.kind, f.since) for f in t.faults] for t in again.changed_truths(900.0)}
    assert found == {IDS[0]: [], IDS[1]: [], IDS[2]: [("icing", 100.0)]}
    # A fault that comes back later is a new one.
    again.clear(2, None, 0.0)
    for _ in range(4):
        again.step()
    again.changed_truths(905.0)
    again.inject(2, "icing", 1.0, 0.0, "")
    for _ in range(4):
        again.step()
    [truth] = again.changed_truths(910.0)
    assert [(f.kind, f.since) for f in truth.faults] == [("icing", 910.0)]


@pytest.mark.parametrize("encoding", list(Encoding))
def test_blocks_travel_with_their_type_and_channels(source: FarmSource, encoding: Encoding) -> None:
    step = source.step()
    sent = Samples("wt01", "boot", 3, 1.0, 0.05, step.values[0], step.type, step.names)
    payload = encode(block_from_samples(sent), encoding)
    got = decode_block(payload)
    assert (got.type, got.names) == ("nrel_5mw", step.names)
    assert np.array_equal(got.values, sent.values)


def test_late_blocks_come_out_of_order_and_none_is_lost_unless_asked() -> None:
    heard: list[int] = []

    def publish(_position: int, samples: Samples) -> bool:
        heard.append(samples.seq)
        return True

    impairment = Impairment(publish, ImpairmentShares(late=0.2, late_blocks=3, twice=0.1), seed=1)
    for seq in range(300):
        impairment.next_round()
        values = np.zeros((18, 1))
        impairment.publish(0, Samples("wt01", "b", seq, 0.0, 0.05, values, "any", ("a",) * 18))
    for _ in range(3):
        impairment.next_round()
    assert set(heard) == set(range(300))
    assert len(heard) > 300
    assert heard != sorted(heard)


@pytest.mark.parametrize(("speed", "until_due"), [(1.0, 0.5), (10.0, 0.05), (0.5, 1.0)])
def test_time_runs_at_any_speed(speed: float, until_due: float) -> None:
    pacer = Pacer(0.5, Clocks(lambda: 100.0, lambda: 1000.0), speed)
    assert pacer.wait() == pytest.approx(until_due)
    pacer.next()
    assert pacer.t0 == 1000.5
    assert pacer.wait() == pytest.approx(2 * until_due)
    assert pacer.settle() is None
