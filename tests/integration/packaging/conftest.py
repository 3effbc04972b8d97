"""The wheels are built once; every test may have an environment of its own."""

from pathlib import Path

import pytest

from tests.integration.packaging.wheels import Environment, build, make_environment


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every package's wheel."""
    return build(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def environment(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What ``pip install gustbed-cli`` gives in an empty environment."""
    made = make_environment(tmp_path_factory.mktemp("installed"), wheels)
    made.install("gustbed-cli")
    return made
