"""An edge's places for models: an empty store, a factory's folder, a whole site."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gustbed_edge.models.store import ModelStore
from tests.support.packages import Signed, SigningKey, sign_package, tiny_package, write_factory
from tests.unit.edge.committing import KEY
from tests.unit.edge.installing import Site


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def sign(tmp_path: Path) -> Callable[[str], Signed]:
    return lambda version: sign_package(tiny_package(version), KEY, tmp_path / "packages")


@pytest.fixture
def factory(tmp_path: Path) -> Path:
    own = SigningKey("factory")
    signed = sign_package(tiny_package("0.9.0"), own, tmp_path / "packages")
    return write_factory(tmp_path / "factory", signed, own)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)
