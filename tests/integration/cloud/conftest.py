"""One deployed cloud for the tests that leave it as they found it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gustbed_cloud import operations
from tests.support.cloud import Identity, LocalCloud, enrolled, local_cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Emulator, registry and stack."""
    with local_cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="module")
def edge(cloud: LocalCloud) -> Identity:
    return enrolled(cloud, "gustbed-site-1")


@pytest.fixture(scope="module")
def client(cloud: LocalCloud, edge: Identity) -> operations.Cloud:
    return cloud.connect()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[LocalCloud]:
    """A cloud of the test's own, deployed."""
    with local_cloud(tmp_path) as running:
        yield running
