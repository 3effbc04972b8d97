"""A dataset's report: one page, with figures that are those of the data."""

import re
from pathlib import Path

import numpy as np
import pytest

from gustbed_core.errors import GustbedError
from gustbed_training.data.dataset import open_dataset
from gustbed_training.data.dataset_summary import FAULTY, summarize
from gustbed_training.data.importing import import_files
from gustbed_training.data.plots import denoised
from gustbed_training.data.report import write_report
from gustbed_training.data.split import partition_dataset
from tests.unit.training.recorded import pump_columns, write_csv, write_map


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("report")
    files = []
    for number in (1, 2):
        columns = pump_columns(600, number)
        columns["bad"] = [int(number == 2 and 400 <= i < 450) for i in range(600)]
        for name in columns:
            del columns[name][300:320]
        files.append(write_csv(work / f"pump<{number}>.csv", columns))
    return import_files(write_map(work), files, work / "out", lambda line: None)


def test_statistics_are_those_of_the_training_part_alone(folder: Path) -> None:
    dataset = open_dataset(folder)
    summary = summarize(dataset)
    partition = partition_dataset(dataset)
    trained = np.concatenate(
        [part.recording.values[:, part.start : part.stop] for part in partition.train], axis=1
    )
    seen = summary.channels["train"]
    assert seen.samples == trained.shape[1]
    np.testing.assert_allclose(seen.mean, trained.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(seen.std, trained.std(axis=1), rtol=1e-4)
    np.testing.assert_array_equal(seen.low, trained.min(axis=1))
    np.testing.assert_array_equal(seen.high, trained.max(axis=1))


def test_faulty_samples_are_told_from_normal_ones(folder: Path) -> None:
    summary = summarize(open_dataset(folder))
    assert len(summary.features[FAULTY]) == 50
    assert summary.example is not None
    assert summary.example.label is not None
    assert [recording.gap for recording in summary.recordings] == [0.0, 20.0, 0.0, 20.0]
    assert [recording.labels for recording in summary.recordings] == [0, 0, 0, 1]


def test_the_page_holds_everything_and_names_are_escaped(folder: Path, tmp_path: Path) -> None:
    path = write_report(folder, tmp_path / "r")
    assert path == tmp_path / "r" / "report.html"
    page = path.read_text()
    assert page.count("<svg") == 5
    for words in ("warmth", "leak", "degC", "pump-1", "gaps, 40 s missing"):
        assert words in page
    assert "pump<1>" not in page
    assert "pump&lt;1&gt;.csv" in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_equal_data_give_equal_pages(folder: Path, tmp_path: Path) -> None:
    first = write_report(folder, tmp_path / "a.html").read_bytes()
    assert write_report(folder, tmp_path / "b.html").read_bytes() == first


def test_data_without_labels_have_a_report_too(tmp_path: Path) -> None:
    text = "labels: {}\n"
    columns = pump_columns(400)
    mapped = write_map(tmp_path)
    unlabelled = re.sub(r"labels:\n.*\n", text, mapped.read_text())
    file = write_csv(tmp_path / "p.csv", columns)
    out = import_files(
        write_map(tmp_path, text=unlabelled), [file], tmp_path / "out", lambda line: None
    )
    page = write_report(out, tmp_path / "page.html").read_text()
    assert "without labels" in page
    assert "<h2>Labels</h2>" not in page


def test_a_place_that_cannot_be_written_to_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GustbedError, match="name a file to write to"):
        write_report(folder, tmp_path / "file" / "report.html")


def test_denoising_takes_noise_and_leaves_the_trend() -> None:
    rng = np.random.default_rng(3)
    trend = 5 * np.sin(np.arange(1000) / 80)
    clean = denoised(trend + rng.normal(0, 0.3, 1000))
    assert np.abs(clean - trend).mean() < 0.6 * np.abs(rng.normal(0, 0.3, 1000)).mean()
    np.testing.assert_allclose(denoised(trend), trend, atol=0.02)
    assert len(denoised(np.ones(999))) == 999
