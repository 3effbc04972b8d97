"""One deployed cloud for the tests that leave it as they found it."""

from collections.abc import Iterator

import pytest

from tests.support.cloud import LocalCloud, local_cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Emulator, registry and stack."""
    with local_cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running
