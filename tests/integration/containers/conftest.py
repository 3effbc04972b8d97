"""Images, built once, and a fleet of containers to look at."""

from collections.abc import Iterator

import pytest

from gustbed_cli.runtime.docker import unusable_because
from tests.support.compose import Compose, clean_environment, compose_fleet


@pytest.fixture(scope="session")
def images() -> None:
    """Every image of the fleet, built from this working copy."""
    reason = unusable_because()
    if reason is not None:
        pytest.skip(str(reason))
    Compose(clean_environment()).run("build", timeout=1800)


@pytest.fixture(scope="package")
def fleet(images: None) -> Iterator[Compose]:
    """A fleet that `docker compose up` started; it goes before other tests need the machine."""
    with compose_fleet() as running:
        yield running
