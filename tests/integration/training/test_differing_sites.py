"""Half an hour of captures tells a model that no longer fits from a site that is elsewhere."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from gustbed_core import event_kinds
from gustbed_core.commissioning.messages import PRIOR
from gustbed_core.events import ModelRef
from gustbed_core.jobs import PACKAGE_FILE
from gustbed_core.package import Package
from gustbed_training.__main__ import main
from gustbed_training.data.outliers import MOST
from gustbed_training.detectors.scoring import load_package
from gustbed_training.drift.comparison import COMMISSION, RETRAIN
from gustbed_training.drift.levels import Level
from gustbed_training.pipeline.drift_report import drift_of_captures
from tests.support.differing_sites import (
    INTERVAL,
    RATE,
    T0,
    TURBINES,
    Site,
    captures,
    farm_of,
    fast_anemometer,
    lake_of,
    run,
    tilted,
)
from tests.support.paths import ROOT

FACTORY = ROOT / "services" / "edge" / "gustbed_edge" / "factory" / "windturbine" / PACKAGE_FILE
MINUTES = 30
LIFTED = Site({"lift": 1.10})


@pytest.fixture(scope="module")
def package() -> Package:
    return load_package(FACTORY)


def _quiet(_line: str) -> None:
    return


@pytest.mark.parametrize(
    ("site", "feature"),
    [
        (Site({"lift": 1.05}), "rps"),
        (LIFTED, "rps"),
        (Site({"lift": 0.90}), "rps"),
        (Site({"volts_per_rps": 1.05}), "voltage"),
        (Site({"volts_per_rps": 1.10}), "voltage"),
        (Site(read=fast_anemometer), "rps"),
        (Site(read=tilted), "roll"),
    ],
    ids=["lift+5", "lift+10", "lift-10", "volts+5", "volts+10", "anemometer+5", "tilt"],
)
@pytest.mark.promise("F4")
def test_machines_that_differ_are_drift_of_all_and_are_to_be_learnt(
    site: Site, feature: str, package: Package, tmp_path: Path
) -> None:
    lake = lake_of(tmp_path / "lake", captures(run(site, MINUTES), package))
    found = drift_of_captures(package, lake, _quiet)
    assert found.finding == "misfit"
    assert found.level.changed
    assert found.carriers[0] == feature
    assert all(each.features[0] == feature for each in found.misfits)
    assert found.remedy == RETRAIN


@pytest.mark.parametrize(
    ("site", "shifted"),
    [
        (Site(), None),
        (Site({"lift": 1.03}), None),
        (Site(wind=(4.5, 0.15)), "wind_speed_rps"),
        (Site(wind=(2.15, 0.03)), None),
        (Site(wind=(2.15, 0.35)), None),
        (Site(noise=1.5), None),
        (Site({"inertia": 1.2}), None),
    ],
    ids=["equal", "lift+3", "wind4.5", "steady", "turbulent", "noise+50", "inertia+20"],
)
def test_where_the_verdicts_hold_there_is_no_drift_though_inputs_may_have_moved(
    site: Site, shifted: str | None, package: Package, tmp_path: Path
) -> None:
    lake = lake_of(tmp_path / "lake", captures(run(site, MINUTES), package))
    found = drift_of_captures(package, lake, _quiet)
    assert found.level is Level.NONE
    assert found.finding in ("fits", "inputs_moved")
    assert (found.misfits, found.remedy) == ((), "")
    if shifted is not None:
        assert (found.finding, found.inputs) == ("inputs_moved", Level.LARGE)
        assert shifted in {each.feature for each in found.features if each.level.changed}


@pytest.mark.promise("F4")
def test_a_turbine_that_differs_from_the_others_is_named_and_to_be_commissioned(
    package: Package, tmp_path: Path
) -> None:
    values = run(Site(), MINUTES)
    values[2] = run(Site({"lift": 1.05}), MINUTES)[2]
    lake = lake_of(tmp_path / "lake", captures(values, package))
    found = drift_of_captures(package, lake, _quiet)
    (one,) = found.misfits
    assert (one.turbine, one.features[0]) == ("wt03", "rps")
    assert found.remedy == f"{COMMISSION} wt03"
    assert found.fit is not None
    assert len(found.fit.turbines) == TURBINES


def test_captures_that_heeded_a_commissioning_count_by_their_verdicts_unfair_ones_not_at_all(
    package: Package, tmp_path: Path
) -> None:
    model = package.manifest
    drawn = captures(run(LIFTED, MINUTES), package)
    assert np.mean([one.anomalies > 0 for one in drawn]) == 1
    commissioned = [
        replace(
            one,
            scores=[0.4, 0.5],
            anomalies=0,
            commissioning="c1",
            model=ModelRef(model.name, model.version),
        )
        for one in drawn
    ]
    unfair = [replace(one, fair=False, boot="later") for one in drawn]
    before = [replace(one, t0=one.t0 - 1e5, boot="before") for one in drawn]
    lake = lake_of(tmp_path / "lake", [*commissioned, *unfair, *before])
    found = drift_of_captures(package, lake, _quiet)
    assert found.fit is not None
    assert (found.fit.level, found.fit.above) == (Level.NONE, 0.0)
    prior = [replace(one, commissioning=PRIOR) for one in commissioned]
    lake = lake_of(tmp_path / "prior", prior)
    assert drift_of_captures(package, lake, _quiet).finding == "misfit", "of its own it has none"
    others = [replace(one, model=ModelRef(model.name, "9.9.9")) for one in commissioned]
    unknown = drift_of_captures(package, lake_of(tmp_path / "other", others), _quiet)
    assert unknown.finding == "unknown"


def test_a_site_that_the_model_misjudges_mends_it_by_a_declared_period(
    package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All captures are called anomalous, and one is of a fault that nobody knew of."""
    farm, site = farm_of(LIFTED, 3), []
    for minute in range(2 * MINUTES):
        if minute == MINUTES:
            farm.inject(2, event_kinds.VIBRATION, 0.5, 1.0)
        if minute == MINUTES + 3:
            farm.clear(2, None, 1.0)
        site.append(farm.advance(60 * RATE))
    drawn = captures(np.concatenate(site, axis=2), package, INTERVAL // 2)
    assert all(one.anomalies for one in drawn)
    out = tmp_path / "own.tar.gz"
    words = ["train", "--type", "mini", "--detector", "pca", "--incumbent", str(FACTORY),
             "--captures", str(lake_of(tmp_path / "lake", drawn)), "--out", str(out),
             "--home", str(tmp_path / "home"), "--no-record"]  # fmt: skip
    assert main(words) == 1
    assert "declare when" in capsys.readouterr().err
    begin, end = (datetime.fromtimestamp(T0 + s, UTC).isoformat() for s in (0, 2 * MINUTES * 60))
    assert main([*words, "--normal", f"{begin}..{end}"]) == 0
    said = capsys.readouterr().err
    extreme = re.search(r"(\d+) declared captures were left out as extreme", said)
    assert extreme is not None
    # The faulty one; a bounded share of the others may look so too.
    assert 1 <= int(extreme[1]) <= MOST * len(drawn)
    assert f"{len(drawn) - int(extreme[1])} used" in said
    later = lake_of(tmp_path / "later", captures(run(LIFTED, MINUTES, seed=9), package))
    assert drift_of_captures(package, later, _quiet).finding == "misfit"
    assert drift_of_captures(load_package(out), later, _quiet).finding == "fits"
