"""A turbine type of a user's own: a file in a folder, and data, a model and a package follow."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gustbed_core.package import read_package
from gustbed_training.detectors.scoring import scorer
from tests.support.types import write_type

NAME = "meadow"
Run = Callable[..., str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A command of training in an empty folder, with the user's type beside it."""
    folder = tmp_path_factory.mktemp("work")
    types = write_type(folder / "types", NAME)
    environment = os.environ | {"GUSTBED_TYPES_DIR": str(types), "OMP_NUM_THREADS": "1"}

    def run(*arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "gustbed_training", *map(str, arguments)],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_type_file_is_all_that_a_model_needs(run: Run, tmp_path: Path) -> None:
    assert json.loads(run("describe", "--type", NAME)) == {"turbine_type": NAME, "name": NAME}
    data, out = tmp_path / "data", tmp_path / "package.tar.gz"
    run("make-dataset", "--profile", f"{NAME}-tiny", "--out", data)
    run("train", "--data", data, "--detector", "pca", "--out", out, "--no-record")
    package = read_package(out.read_bytes())
    manifest = package.manifest
    assert (manifest.name, manifest.turbine_type) == (NAME, NAME)
    assert f"{NAME}_rotor_speed" in manifest.channel_names
    assert {"electrical", "voltage"} <= manifest.violations.keys()
    np.testing.assert_array_equal(scorer(package.model)(package.golden_windows)[1],
                                  package.golden_ratios)  # fmt: skip
    judged = json.loads(run("evaluate", "--model", out, "--data", data, "--json"))
    # What each fault moves is named by the twin, what speaks for that by the type's file.
    kinds = {row["fault"]: row["kind"] for row in judged["by_fault"]}
    assert kinds["winding_overheating"] == "thermal"
    assert kinds["sensor_drift"] in ("voltage", "rotation")
    assert judged["eventwise"]["detected"] > 0
