"""The main job on streams that the model was not trained on: another farm, and a recording."""

import subprocess
import sys
from pathlib import Path

from tests.support.fleet import RunningFleet, running, scored
from tests.support.ports import wait_until

EVENT_WITHIN = 15.0


def kinds(fleet: RunningFleet) -> set[tuple[str, str]]:
    """(turbine, kind) of every event so far."""
    return {(event["turbine"], event["kind"]) for event in fleet.events()}


def test_a_farm_of_another_seed_and_wind_is_judged_right(tmp_path: Path) -> None:
    weather = {
        "GUSTBED_TWIN_SEED": "20261120",
        "GUSTBED_TWIN_WIND_MEAN": "2.7",
        "GUSTBED_TWIN_TURBULENCE": "0.18",
    }
    with running("process", tmp_path, **weather) as fleet:
        wait_until(lambda: scored(fleet), "all turbines are ok", 60)
        fleet.cli("fault", "inject", "wt01", "rotation", "--severity", "0.7")
        wait_until(lambda: kinds(fleet), "the fault opens an event", EVENT_WITHIN)
        fleet.cli("fault", "inject", "wt04", "vibration", "--severity", "0.5", "--ramp", "3")
        wait_until(lambda: len(kinds(fleet)) > 1, "the second opens another", EVENT_WITHIN)
        assert kinds(fleet) == {("wt01", "rotation"), ("wt04", "vibration")}
        assert len(fleet.events()) == 2


def test_a_recording_is_replayed_from_a_file_and_its_fault_found(tmp_path: Path) -> None:
    made = tmp_path / "recording"
    fault = "wt01:voltage:start=45:duration=30:severity=0.8"
    generate = (
        f"generate --turbines 1 --hours 0.025 --seed 77 --wind-mean 1.9 --fault {fault} --csv"
    )
    subprocess.run(
        [sys.executable, "-m", "gustbed_twin", *generate.split(), "--out", str(made)],
        check=True,
        capture_output=True,
    )
    (recording,) = made.glob("*.csv")
    replay = {"GUSTBED_TWIN_REPLAY": str(recording), "GUSTBED_TURBINES": "2"}
    with running("process", tmp_path / "home", **replay) as fleet:
        wait_until(lambda: len(kinds(fleet)) == 2, "the fault is found on both turbines", 120)
        assert kinds(fleet) == {("wt01", "voltage"), ("wt02", "voltage")}
        wait_until(lambda: any(event["closed"] for event in fleet.events()), "the event closes", 60)
