"""One utility-scale machine for every test of a module, and a new farm of them for each test."""

import pytest

from gustbed_twin.farms.variable_speed import VariableSpeedFarm
from gustbed_twin.turbine.model import TurbineModel, prepare_model
from gustbed_twin.turbine.variable_speed import VariableSpeedType, load_variable_speed
from tests.unit.twin.utility import CALM


@pytest.fixture(scope="module")
def kind() -> VariableSpeedType:
    """The NREL 5 MW turbine."""
    return load_variable_speed("nrel_5mw")


@pytest.fixture(scope="module")
def machine(kind: VariableSpeedType) -> TurbineModel:
    """Its machine, ready to run."""
    return prepare_model(kind)


@pytest.fixture
def farm(machine: TurbineModel) -> VariableSpeedFarm:
    """Three running turbines in calm weather."""
    return VariableSpeedFarm(machine, 1, range(3), CALM)
