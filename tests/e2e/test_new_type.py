"""A turbine type of a user's own: one file in a folder, and the whole loop follows."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from gustbed_core.gate_report import PUBLIC_KEYS
from gustbed_core.turbine_types import load_type
from tests.support.chromium import visit
from tests.support.fleet import RunningFleet, logged, running
from tests.support.ports import wait_until
from tests.support.types import write_type

NAME = "meadow"
TURBINES = 2


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_type(tmp_path_factory.mktemp("types"), NAME)


@pytest.fixture(scope="module")
def package(types: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the type, from the twin's data: small, because it need not be good here."""
    work = tmp_path_factory.mktemp("training")
    out = work / "package.tar.gz"
    for arguments in (
        ["make-dataset", "--profile", f"{NAME}-tiny", "--out", work / "data"],
        ["train", "--data", work / "data", "--detector", "pca", "--out", out, "--no-record"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "gustbed_training", *map(str, arguments)],
            cwd=work,
            env=os.environ | {"GUSTBED_TYPES_DIR": str(types)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def meadow(
    types: Path, package: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningFleet]:
    with running(
        "process",
        tmp_path_factory.mktemp("fleet"),
        GUSTBED_TYPES_DIR=str(types),
        GUSTBED_TWIN_TYPE=NAME,
        GUSTBED_TURBINES=str(TURBINES),
        GUSTBED_PIPELINE_KEYS=str(package.parent / ".gustbed" / PUBLIC_KEYS),
        GUSTBED_EDGE_TELEMETRY_INTERVAL="5",
    ) as fleet:
        yield fleet


@pytest.mark.browser
@pytest.mark.slow
def test_a_type_file_alone_gives_data_a_model_verdicts_aggregates_and_a_page(
    meadow: RunningFleet, package: Path, types: Path, browser: Browser
) -> None:
    kind = load_type(NAME, types)

    def states() -> set[str]:
        return {turbine["state"] for turbine in meadow.turbines().values()}

    wait_until(lambda: states() == {"unknown"}, "no model is for the type yet", 60)
    meadow.cli("model", "register", str(package))
    meadow.cli("model", "approve", "--name", NAME, "--wait")
    wait_until(lambda: states() <= {"ok", "anomaly"}, "the new model speaks of every turbine", 60)
    assert meadow.edge()["models"][NAME]["name"] == NAME
    assert {turbine["type"] for turbine in meadow.turbines().values()} == {NAME}

    def summed() -> dict[str, set[str]]:
        rows = logged(meadow, "telemetry")
        return {row["turbine"]: set(row["values"]) for row in rows if row["type"] == NAME}

    wanted = {aggregate.name for aggregate in kind.aggregates}
    wait_until(lambda: len(summed()) == TURBINES, "the cloud has the type's aggregates", 60)
    assert all(found == wanted for found in summed().values()), json.dumps(sorted(wanted))

    page = browser.new_page(viewport={"width": 1440, "height": 900})
    try:
        visit(page, meadow.dashboard_url)
        card = page.locator('.gb-card[data-turbine="wt01"]')
        expect(card).to_contain_text(kind.card[0].title, timeout=30_000)
        visit(page, f"{meadow.dashboard_url}/turbine?turbine=wt01")
        for group in kind.groups[:2]:
            expect(page.get_by_text(group.title, exact=True).first).to_be_visible(timeout=30_000)
    finally:
        page.close()
