"""One utility-scale machine for every test of a module, and a new farm of them for each test."""

import pytest

from gustbed_twin.turbine_types import UtilityType, load_utility_type
from gustbed_twin.utility.farm import UtilityFarm
from gustbed_twin.utility.machine import Machine, make_machine
from tests.unit.twin.utility import CALM


@pytest.fixture(scope="module")
def kind() -> UtilityType:
    """The NREL 5 MW turbine."""
    return load_utility_type("nrel_5mw")


@pytest.fixture(scope="module")
def machine(kind: UtilityType) -> Machine:
    """Its machine, ready to run."""
    return make_machine(kind)


@pytest.fixture
def farm(machine: Machine) -> UtilityFarm:
    """Three running turbines in calm weather."""
    return UtilityFarm(machine, 1, range(3), CALM)
