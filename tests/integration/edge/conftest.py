"""One broker, with a listener, and one cloud for all tests of the edge."""

from collections.abc import Iterator

import pytest

from tests.support.cloud import LocalCloud, local_cloud
from tests.support.listener import Listener
from tests.support.mosquitto import Broker, mosquitto


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A site broker with users and an ACL, as in production."""
    with mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    """An operator who listens from the beginning of a test."""
    with Listener(broker) as listening:
        yield listening


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """The emulator with the stack deployed."""
    with local_cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running
