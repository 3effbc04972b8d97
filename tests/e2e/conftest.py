"""One fleet per runtime for the whole layer."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.support.fleet import RunningFleet, running


def docker_answers() -> bool:
    """Whether a Docker engine can be used here."""
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@pytest.fixture(
    scope="package", params=["process", pytest.param("docker", marks=pytest.mark.docker)]
)
def fleet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningFleet]:
    """A running fleet with a space in its path."""
    if request.param == "docker" and not docker_answers():
        pytest.skip("no Docker engine answers: the fleet was not run in containers")
    with running(request.param, tmp_path_factory.mktemp(f"a {request.param} fleet")) as up:
        yield up


@pytest.fixture(scope="package")
def own_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFleet]:
    """A process fleet that tests may maltreat, as long as they wait until it has healed.

    What they stop for an outage is not to be taken for a service that hangs. Every verdict goes
    up, so that a missing one is seen by its number.
    """
    changes = {"GUSTBED_HANG_S": "600", "GUSTBED_EDGE_UPLINK": "full"}
    with running("process", tmp_path_factory.mktemp("own"), **changes) as up:
        yield up
