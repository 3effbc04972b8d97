"""Which tests run on one worker: a second fleet or a second Docker build would cost minutes."""

import pytest

from tests.conftest import shared_by


@pytest.mark.parametrize(
    ("nodeid", "shared"),
    [
        ("tests/unit/core/test_mqtt.py::test_a", "tests/unit/core/test_mqtt.py"),
        ("tests/integration/cloud/test_lake.py::test_a[x]", "tests/integration/cloud/test_lake.py"),
        ("tests/integration/containers/test_images.py::test_a", "docker"),
        ("tests/integration/packaging/test_wheels.py::test_a", "wheels"),
        ("tests/browser/test_models.py::test_a", "browser"),
        ("tests/e2e/test_dashboard.py::test_a[docker]", "docker"),
        ("tests/e2e/test_dashboard.py::test_a[process]", "fleet"),
        ("tests/e2e/test_lifecycle.py::test_a[broker]", "own fleet"),
    ],
)
def test_what_is_dear_to_start_is_started_by_one_worker(nodeid: str, shared: str) -> None:
    assert shared_by(nodeid) == shared
