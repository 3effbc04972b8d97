"""`docker buildx bake` and `docker compose build` make the same images of the same definition."""

import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from images.catalogue import IMAGES
from tests.support.compose import Compose, clean_environment
from tests.support.paths import ROOT

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed"),
]
PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
"""Compose is told to hand them on; buildx takes them from Docker's own configuration."""
GIVEN = {
    "PYTHON_IMAGE": "mirror/python:3.11",
    "GUSTBED_VERSION": "9.9.9",
    "GUSTBED_REVISION": "abc",
    "PIP_INDEX_URL": "https://mirror/simple",
    "TORCH_INDEX_URL": "https://mirror/torch",
}


def baked(**variables: str) -> Any:
    """The definition that bake would build."""
    environment = clean_environment(**variables)
    command = (
        "docker",
        "buildx",
        "bake",
        "--file",
        "images/bake.hcl",
        "--print",
        "default",
        "training",
    )
    # From the environment alone: bake reads no .env.
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout)["target"]


def composed(**variables: str) -> dict[str, Any]:
    """Compose's build sections, by target."""
    arguments = ("--env-file", os.devnull, "--profile", "training")
    environment = clean_environment(TARGET="local", **variables)
    services = Compose(environment, arguments).config()["services"]
    return {s["build"]["target"]: s for s in services.values() if "build" in s}


def arguments(build: Any) -> dict[str, str]:
    return {k: v for k, v in build["args"].items() if k not in PROXIES and v is not None}


@pytest.mark.parametrize("given", [{}, GIVEN], ids=["nothing given", "all given"])
def test_bake_and_compose_build_the_same(given: dict[str, str]) -> None:
    bake, compose = baked(**given), composed(**given)
    assert set(bake) == set(compose) == {image.name for image in IMAGES}
    for name, service in compose.items():
        build = service["build"]
        assert bake[name]["target"] == build["target"]
        assert bake[name]["dockerfile"] == build["dockerfile"]
        assert bake[name]["tags"] == [service["image"]]
        assert arguments(bake[name]) == arguments(build), name
        assert bake[name]["secret"] == ["id=ca,src=/dev/null"]
        assert [secret["source"] for secret in build["secrets"]] == ["ca"]


def test_bake_asks_for_attestations_and_two_platforms_where_told() -> None:
    edge = baked(PLATFORMS="linux/amd64,linux/arm64", ATTEST="yes")["edge"]
    assert edge["platforms"] == ["linux/amd64", "linux/arm64"]
    assert edge["attest"] == ["type=provenance,mode=max", "type=sbom"]
    assert "attest" not in baked()["edge"]
