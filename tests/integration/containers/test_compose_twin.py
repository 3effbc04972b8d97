"""What the Compose files give the twin."""

import os
import shutil
from typing import Any

import pytest

from gustbed_twin.settings import PREFIX, TwinSettings
from tests.support.compose import Compose, clean_environment

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed"),
]
FILES = {
    "SCENARIO": "/run/gustbed/scenario.yaml",
    "LAYOUT": "/run/gustbed/layout.yaml",
    "REPLAY": "/run/gustbed/recording.csv",
}


def services(**variables: str) -> Any:
    environment = clean_environment(TARGET="local", **variables)
    return Compose(environment, ("--env-file", os.devnull)).config()["services"]


def test_every_setting_of_the_twin_reaches_its_container() -> None:
    given = {f"{PREFIX}{name.upper()}" for name in TwinSettings.model_fields}
    given.add(f"{PREFIX}CACHE")
    # The image says where the heartbeat lies, for its own health check.
    given.remove(f"{PREFIX}DATA_DIR")
    assert given <= set(services()["twin"]["environment"])


def test_plain_settings_pass_as_they_are_and_the_broker_learns_of_a_shared_connection() -> None:
    values = {
        "TYPE": "nrel_5mw", "WIND_MS": "12", "DIRECTION": "250", "WAKE": "gauss", "SHARD": "1/2",
        "TRUTH": "true", "SPEED": "10", "CONNECTION": "shared", "CHECKPOINT_EVERY_S": "5",
    }  # fmt: skip
    given = {f"{PREFIX}{name}": value for name, value in values.items()}
    found = services(**given)
    environment = found["twin"]["environment"]
    assert {name: environment[name] for name in given} == given
    assert found["init"]["environment"][f"{PREFIX}CONNECTION"] == "shared"


@pytest.mark.parametrize(("name", "target"), FILES.items())
def test_a_file_is_mounted_where_the_twin_looks_for_it(name: str, target: str) -> None:
    variable = f"{PREFIX}{name}"
    twin = services(**{variable: "/data/x"})["twin"]
    (mount,) = (v for v in twin["volumes"] if v["type"] == "bind")
    assert (mount["source"], mount["target"], mount["read_only"]) == ("/data/x", target, True)
    assert twin["environment"][variable] == target
    assert not services()["twin"]["environment"][variable]


def test_turbine_types_of_ones_own_reach_every_service_of_ours() -> None:
    found = services(GUSTBED_TYPES_DIR="/data/types")
    for name in ("twin", "edge", "provisioner", "dashboard"):
        mounts = [(v["source"], v["target"]) for v in found[name]["volumes"] if v["type"] == "bind"]
        assert ("/data/types", "/run/gustbed/types") in mounts
        assert found[name]["environment"]["GUSTBED_TYPES_DIR"] == "/run/gustbed/types"
    assert not services()["edge"]["environment"]["GUSTBED_TYPES_DIR"]


def test_what_the_twin_writes_lies_in_its_own_volume() -> None:
    twin = services(GUSTBED_TWIN_CHECKPOINT="x", GUSTBED_TWIN_CACHE="y")["twin"]
    (volume,) = (v for v in twin["volumes"] if v["source"] == "twin-data")
    assert not volume.get("read_only")
    for name in ("CHECKPOINT", "CACHE"):
        assert twin["environment"][f"{PREFIX}{name}"].startswith(f"{volume['target']}/")
