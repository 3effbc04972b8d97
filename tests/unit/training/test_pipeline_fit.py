"""What detectors are given, and what is made of what they give back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gustbed_core.signals import Decision
from gustbed_training.data.dataset import open_dataset
from gustbed_training.data.windows import windows_of
from gustbed_training.detectors.base import FitData, Plan
from gustbed_training.detectors.registry import DETECTORS, FOR_FEW, SHIPPED, suited
from gustbed_training.detectors.scoring import scorer
from gustbed_training.detectors.thresholds import Target
from gustbed_training.pipeline import fit
from gustbed_training.pipeline.calibrate import thresholds_of
from gustbed_training.pipeline.prepare import Prepared, load_prepared, prepare
from gustbed_training.progress import Log
from tests.unit.training.toy import FAULTY, SCHEMA, Mean, write_dataset


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("toy")
    dataset = open_dataset(write_dataset(folder / "data", ((), (), FAULTY)))
    (folder / "step").mkdir()
    prepare(dataset, None, "digest", folder / "step")
    return load_prepared(folder / "step")


class Curious(Mean):
    """Keeps what it was given."""

    def fit(self, data: FitData, plan: Plan, log: Log) -> nn.Module:
        self.data = data
        return super().fit(data, plan, log)


def _fit(prepared: Prepared, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Curious:
    curious = Curious()
    monkeypatch.setitem(DETECTORS, "curious", lambda: curious)
    folder.mkdir(exist_ok=True)
    fit.fit(prepared, "curious", Plan(), Target(), folder, lambda _: None)
    return curious


def test_what_was_prepared_is_read_back_as_it_was_shared_out(prepared: Prepared) -> None:
    assert prepared.schema == SCHEMA
    assert prepared.digest == "digest"
    faulty = [part for part in prepared.partition.test if part.recording.labels]
    assert len(faulty) == 1
    assert len(faulty[0].recording.labels) == len(FAULTY)
    for share in (prepared.partition.train, prepared.partition.calibrate):
        assert share
        assert not any(part.recording.labels for part in share)


def test_detectors_get_all_training_windows_and_all_held_out_ones(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = _fit(prepared, tmp_path, monkeypatch).data
    for given, parts in (
        (data.train, prepared.partition.train),
        (data.held, prepared.partition.calibrate),
    ):
        assert len(given) == len(parts)
        for windows, part in zip(given, parts, strict=True):
            np.testing.assert_array_equal(windows, windows_of(part, SCHEMA))
            assert fit.count_windows(part, SCHEMA) == len(windows)
    assert len(data.windows) == sum(len(each) for each in data.train)


def test_more_windows_than_fit_in_memory_are_thinned_out_evenly(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _fit(prepared, tmp_path, monkeypatch).data
    monkeypatch.setattr(fit, "MAX_BYTES", whole.windows.nbytes // 3 + 1)
    thinned = _fit(prepared, tmp_path, monkeypatch).data
    assert thinned.windows.nbytes <= whole.windows.nbytes // 3 * 1.01
    assert sum(len(each) for each in thinned.train) == len(whole.windows)
    first = len(whole.train[0])
    np.testing.assert_array_equal(thinned.windows[:5], whole.windows[:first:3][:5])


def test_the_graph_divides_by_the_thresholds_that_the_details_name(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fit(prepared, tmp_path, monkeypatch)
    model, details = fit.load_fit(tmp_path)
    windows = windows_of(prepared.partition.test[0], SCHEMA)[:50]
    scores, ratios = scorer(model)(windows)
    limits = np.array([details.thresholds[name] for name in SCHEMA.feature_names])
    np.testing.assert_allclose(ratios * limits, scores, rtol=1e-5)
    assert details.training["data_digest"] == "digest"


class _Last(nn.Module):
    """A window's last sample is its score."""

    def forward(self, window: Tensor) -> Tensor:
        return window[:, :, -1]


class _Sure(_Last):
    own_limit = 3.5


def _stretch(seed: int, count: int) -> np.ndarray:
    values = np.random.default_rng(seed).lognormal(0, 0.3, (count, 2, 10))
    return values.astype(np.float32)


def test_thresholds_heed_how_the_type_decides() -> None:
    held = [_stretch(seed, 4000) for seed in range(5)]
    one, many = (
        thresholds_of(_Last(), held, replace(SCHEMA, decision=Decision(open_after=n)), Target())
        for n in (1, 6)
    )
    assert all(a > 1.3 * b for a, b in zip(one, many, strict=True))


def test_few_held_out_verdicts_still_set_limits() -> None:
    held = [_stretch(seed, 100) for seed in range(3)]
    limits = thresholds_of(_Last(), held, SCHEMA, Target())
    normal = np.concatenate([_stretch(seed, 2000)[:, :, -1] for seed in range(20, 25)])
    assert 0.001 < (normal > np.array(limits)).any(axis=1).mean() < 0.2


def test_a_detector_that_knows_its_limit_is_believed_where_data_are_few() -> None:
    held = [_stretch(1, 100)]
    assert thresholds_of(_Sure(), held, SCHEMA, Target()) == [3.5, 3.5]
    assert thresholds_of(_Sure(), [_stretch(1, 4000)], SCHEMA, Target()) != [3.5, 3.5]


def test_the_amount_of_data_chooses_the_detector() -> None:
    assert suited(100) == (FOR_FEW,)
    assert suited(100_000) == (SHIPPED, FOR_FEW)
    assert {FOR_FEW, SHIPPED} <= DETECTORS.keys()


def test_scores_are_exported_in_batches_of_any_size(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fit(prepared, tmp_path, monkeypatch)
    score = scorer(fit.load_fit(tmp_path)[0])
    windows = windows_of(prepared.partition.test[0], SCHEMA)[:37]
    parts = [score(windows[i : i + 5])[1] for i in range(0, 37, 5)]
    np.testing.assert_allclose(np.concatenate(parts), score(windows)[1], rtol=1e-6)
    assert torch.get_num_threads() == 1
