"""The pipeline with a toy detector: what it does, does again, goes on with, and refuses."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from gustbed_core.errors import GustbedError
from gustbed_core.package import PackageError, read_package
from gustbed_training.detectors.base import FitData, Plan
from gustbed_training.detectors.registry import DETECTORS
from gustbed_training.detectors.scoring import scorer
from gustbed_training.pipeline import fit, measure, package, steps
from gustbed_training.pipeline.identity import Identity, model_name
from gustbed_training.pipeline.job import STEPS, Job, Result
from gustbed_training.pipeline.steps import BASELINE, run
from gustbed_training.progress import Log
from tests.unit.training.toy import FAULTY, SAMPLES, SCHEMA, Mean, write_dataset

Runs = Callable[..., Result]


@pytest.fixture
def mean(monkeypatch: pytest.MonkeyPatch) -> Mean:
    """The detector under training; the baseline is the same, so that the gate passes."""
    toy = Mean()
    monkeypatch.setitem(DETECTORS, "mean", lambda: toy)
    monkeypatch.setitem(DETECTORS, BASELINE, Mean)
    return toy


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("toy") / "data", ((), (), FAULTY))


@pytest.fixture
def job(tmp_path: Path, data: Path, mean: Mean) -> Job:
    return Job(
        data, Identity("toy", "1.2.3"), tmp_path / "out" / "p.tar.gz", "mean",
        home=tmp_path / "home", track=False,
    )  # fmt: skip


def _lines(job: Job) -> tuple[Result, list[str]]:
    lines: list[str] = []
    return run(job, lines.append), lines


def test_every_step_is_named_with_its_place(job: Job) -> None:
    _, lines = _lines(job)
    places = list(dict.fromkeys(line.split(":")[0] for line in lines))
    assert places == [f"{i}/6 {step}" for i, step in enumerate(STEPS, start=1)]
    assert sum("done in" in line for line in lines) >= 5


def test_the_package_says_what_it_is_and_reproduces_its_golden_ratios(job: Job) -> None:
    result, _ = _lines(job)
    package = read_package(job.out.read_bytes())
    manifest = package.manifest
    assert result.gate.passed
    assert (manifest.name, manifest.version) == ("toy", "1.2.3")
    assert (manifest.turbine_type, manifest.detector) == ("toy_type", "mean")
    assert tuple(manifest.features) == SCHEMA.features
    assert tuple(manifest.channels) == SCHEMA.channels
    assert manifest.decision == SCHEMA.decision
    assert manifest.training["gate"] == "passed"
    assert manifest.training["seed"] == "0"
    assert len(manifest.training["data_digest"]) == 64
    assert manifest.metrics["event_recall"] == 1.0
    assert manifest.reference["hot"].mean == pytest.approx(50.0, abs=0.1)
    assert "1.2.3" in package.card
    ratios = scorer(package.model)(package.golden_windows)[1]
    np.testing.assert_array_equal(ratios, package.golden_ratios)
    assert len(ratios) == 16
    assert (ratios[:8].max(axis=1) < 1).all()
    assert (ratios[8:].max(axis=1) > 1).all()


def test_a_rerun_does_nothing_and_says_so(job: Job, mean: Mean) -> None:
    run(job, lambda _: None)
    first = job.out.read_bytes()
    _, lines = _lines(job)
    assert job.out.read_bytes() == first
    assert len(mean.fits) == 1
    assert not any("done in" in line for line in lines)
    for step in STEPS[:5]:
        assert any(f"{step}: cached" in line for line in lines)


def test_another_seed_trains_again_on_what_was_prepared(job: Job, mean: Mean) -> None:
    run(job, lambda _: None)
    first = read_package(job.out.read_bytes()).model
    _, lines = _lines(replace(job, plan=Plan(seed=1)))
    assert "1/6 prepare: cached" in lines[0]
    assert [plan.seed for plan in mean.fits] == [0, 1]
    assert read_package(job.out.read_bytes()).model != first


def test_equal_seeds_give_equal_graphs_wherever_they_are_trained(job: Job, tmp_path: Path) -> None:
    models = []
    for home in ("a", "b"):
        run(replace(job, home=tmp_path / home, plan=Plan(seed=7)), lambda _: None)
        models.append(read_package(job.out.read_bytes()).model)
    assert models[0] == models[1]


def test_other_data_are_prepared_and_trained_on_anew(job: Job, mean: Mean, tmp_path: Path) -> None:
    run(job, lambda _: None)
    other = write_dataset(tmp_path / "other", ((), (), FAULTY[:6]))
    _, lines = _lines(replace(job, data=other))
    assert "1/6 prepare: done" in lines[0]
    assert len(mean.fits) == 2


def test_forcing_does_every_step_again(job: Job, mean: Mean) -> None:
    run(job, lambda _: None)
    _, lines = _lines(replace(job, force=True))
    assert len(mean.fits) == 2
    assert not any("cached" in line for line in lines)


@pytest.mark.parametrize("broken", ["train", "evaluate", "gate", "package"])
def test_a_run_that_was_interrupted_goes_on_at_the_step_it_had_reached(
    job: Job, mean: Mean, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    places = {
        "train": (fit, "fit"),
        "evaluate": (measure, "measure"),
        "gate": (steps, "judge"),
        "package": (package, "package"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(*places[broken], interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(job, lambda _: None)
    assert not job.out.exists()
    left = [path.name for path in (job.home / "pipeline").iterdir() if path.name.startswith(".")]
    assert left == []
    result, lines = _lines(job)
    assert result.gate.passed
    for step in STEPS[: STEPS.index(broken)]:
        assert any(f"{step}: cached" in line for line in lines)
    assert any(f"{broken}: done" in line for line in lines)
    assert len(mean.fits) == 1


def test_what_suits_next_is_tried_where_the_gate_refuses_what_suits_best(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = Mean(weaken=0.9)
    monkeypatch.setitem(DETECTORS, "weak", lambda: weak)
    monkeypatch.setattr(steps, "suited", lambda _: ("weak", "mean"))
    result, lines = _lines(replace(job, detector=None))
    assert result.gate.passed
    assert result.manifest.detector == "mean"
    assert "4/6 gate: weak is refused: trying mean" in lines


def test_the_baseline_ships_where_all_that_suits_is_refused_and_the_package_says_so(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DETECTORS, "weak", lambda: Mean(weaken=0.9))
    monkeypatch.setattr(steps, "suited", lambda _: ("weak",))
    result, lines = _lines(replace(job, detector=None))
    assert result.gate.passed
    assert result.manifest.detector == BASELINE
    said = [line for line in lines if line.startswith("4/6 gate: weak is refused: VUS-PR")]
    assert len(said) == 1
    assert said[0].endswith(f"; {BASELINE} passes and ships")
    package = read_package(job.out.read_bytes())
    against = package.manifest.training["gate_against"]
    assert against.startswith("weak (refused: VUS-PR")
    assert against in package.card


def test_the_baseline_ships_for_nobody_who_named_a_detector(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DETECTORS, "weak", lambda: Mean(weaken=0.9))
    result, _ = _lines(replace(job, detector="weak"))
    assert (result.gate.passed, result.manifest.detector) == (False, "weak")


def test_of_several_that_are_refused_the_best_suited_is_kept_to_be_looked_at(
    job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(job, lambda _: None)
    for name in ("weak", "weaker", BASELINE):
        monkeypatch.setitem(DETECTORS, name, lambda: Mean(weaken=0.9))
    monkeypatch.setattr(steps, "suited", lambda _: ("weak", "weaker"))
    again = replace(
        job, detector=None, incumbent=job.out, out=tmp_path / "again.tar.gz", home=tmp_path / "new"
    )
    result, lines = _lines(again)
    assert (result.gate.passed, result.manifest.detector) == (False, "weak")
    last = next(line for line in lines if line.endswith("; weak is kept for inspection"))
    for name in ("weak", "weaker", BASELINE):
        assert f"{name} is refused: " in last


def test_what_the_gates_yardstick_lacks_is_not_said_of_the_detector(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hungry(Mean):
        def fit(self, data: FitData, plan: Plan, log: Log) -> nn.Module:
            data.require(10**9, "a yardstick")
            return super().fit(data, plan, log)

    monkeypatch.setitem(DETECTORS, BASELINE, Hungry)
    with pytest.raises(GustbedError, match=f"no {BASELINE} to compare with: .* for a yardstick"):
        run(job, lambda _: None)


def test_a_worse_model_is_kept_but_refused(
    job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(job, lambda _: None)
    weak = Mean(weaken=0.9)
    monkeypatch.setitem(DETECTORS, "weak", lambda: weak)
    out = tmp_path / "weak.tar.gz"
    result, _ = _lines(replace(job, detector="weak", incumbent=job.out, out=out))
    assert not result.gate.passed
    said = read_package(out.read_bytes()).manifest.training["gate"]
    assert said == result.gate.words
    assert "below toy 1.2.3's" in said
    assert f"below {BASELINE}'s" in said
    assert said in read_package(out.read_bytes()).card


def test_a_model_in_service_that_cannot_read_the_data_is_no_yardstick(
    job: Job, tmp_path: Path
) -> None:
    factory = Path(__file__).parents[3] / "services/edge/gustbed_edge/factory/windturbine"
    result, lines = _lines(replace(job, incumbent=factory / "package.tar.gz"))
    assert result.gate.against == (BASELINE,)
    assert any("not compared" in line and "type mini" in line for line in lines)


def test_without_labels_disturbances_tell_a_blind_model_from_one_that_sees(
    job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = write_dataset(tmp_path / "unlabelled", ((), ()), labelled=False)
    seeing = run(replace(job, data=data), lambda _: None)
    assert seeing.gate.passed
    assert seeing.manifest.metrics["disturbed_event_recall"] > 0.3
    assert "event_recall" not in seeing.manifest.metrics
    blind = Mean(weaken=0.99)
    monkeypatch.setitem(DETECTORS, "blind", lambda: blind)
    result = run(replace(job, data=data, detector="blind"), lambda _: None)
    assert "with disturbances" in result.gate.words


def test_test_data_change_figures_but_neither_weights_nor_thresholds(
    job: Job, tmp_path: Path
) -> None:
    later = [(name, start + 25, stop) for name, start, stop in FAULTY]
    packages = []
    for name, faults in (("one", FAULTY), ("two", later)):
        data = write_dataset(tmp_path / name / "data", ((), (), faults))
        run(replace(job, data=data), lambda _: None)
        packages.append(read_package(job.out.read_bytes()))
    assert packages[0].model == packages[1].model
    assert packages[0].manifest.thresholds == packages[1].manifest.thresholds
    assert packages[0].manifest.reference == packages[1].manifest.reference
    assert packages[0].manifest.metrics != packages[1].manifest.metrics


def test_training_data_change_weights(job: Job, tmp_path: Path) -> None:
    run(job, lambda _: None)
    first = read_package(job.out.read_bytes()).model
    moved = write_dataset(tmp_path / "moved", ((), (("hot", 100, SAMPLES // 2),), FAULTY))
    run(replace(job, data=moved), lambda _: None)
    assert read_package(job.out.read_bytes()).model != first


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"detector": "oracle"}, GustbedError, "oracle"),
        ({"identity": Identity("Toy", "1.0.0")}, PackageError, "Toy"),
        ({"identity": Identity("toy", "1.0")}, PackageError, "1.0"),
        ({"data": Path("/no/such/data")}, GustbedError, "/no/such/data"),
        ({"incumbent": Path("/no/such/package")}, GustbedError, "/no/such/package"),
    ],
)
def test_wrong_orders_are_refused_in_one_line(
    job: Job, changes: dict[str, object], error: type[GustbedError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        run(replace(job, **changes), lambda _: None)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert not job.out.exists()


@pytest.mark.parametrize(
    ("kind", "name"), [("mini", "windturbine"), ("nrel_5mw", "nrel-5mw"), ("5MW", "type-5mw")]
)
def test_models_are_called_after_their_turbines(kind: str, name: str) -> None:
    assert model_name(kind) == name
