"""The edge image for linux/arm64, built and run under emulation."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from tests.support.compose import clean_environment, docker, image_of
from tests.support.paths import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.slow]

PLATFORM = "linux/arm64"
PUBLIC_BASE = "python:3.11-slim-bookworm"
OFFLINE_BASE = "gustbed/base-python:offline-arm64"
IMAGE = f"{image_of('edge')}-arm64"
BELOW, ABOVE = 1e-4, 2e-4
"""How far two ratios may be apart: up to the threshold, and as a share of what is above it."""
MINUTES = 0.05 * 60


def succeeds(*command: str, timeout: float = 300) -> bool:
    done = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
    return done.returncode == 0


def arm64_base() -> str:
    """A Python image for arm64; skips the test where none can be had or run."""
    if succeeds("docker", "image", "inspect", OFFLINE_BASE):
        base = OFFLINE_BASE
    elif succeeds("docker", "pull", "--quiet", "--platform", PLATFORM, PUBLIC_BASE):
        base = PUBLIC_BASE
    else:
        pytest.skip("no Python image for arm64: run scripts/offline-images --arm64")
    if not succeeds("docker", "run", "--rm", "--platform", PLATFORM, base, "true"):
        pytest.skip("arm64 images do not run here: run scripts/ci-docker --arm64")
    return base


@pytest.fixture(scope="module")
def arm64_image(images: None) -> str:
    """The edge image for arm64, built from this working copy."""
    settings = dotenv_values(ROOT / ".env")
    docker(
        *("buildx", "build", "--load", "--platform", PLATFORM, "--tag", IMAGE),
        *("--file", "images/Dockerfile", "--target", "edge"),
        *("--build-arg", f"PYTHON_IMAGE={arm64_base()}"),
        # What it is made of comes from this machine: emulated, it would take minutes.
        *("--build-arg", f"BUILD_IMAGE={settings.get('PYTHON_IMAGE') or PUBLIC_BASE}"),
        *("--secret", f"id=ca,src={settings.get('GUSTBED_CA_FILE') or '/dev/null'}"),
        str(ROOT),
        timeout=1200,
    )
    return IMAGE


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some minutes of one turbine with a fault in the middle."""
    folder = tmp_path_factory.mktemp("recording")
    subprocess.run(
        [
            *(sys.executable, "-m", "gustbed_twin", "generate", "--turbines", "1"),
            *("--hours", str(MINUTES / 60), "--seed", "7", "--csv", "--out", str(folder / "data")),
            *("--fault", "wt01:vibration:start=60:duration=60:severity=0.8"),
        ],
        env=clean_environment(),
        check=True,
        capture_output=True,
        timeout=120,
    )
    (found,) = (folder / "data").rglob("*.csv")
    found.chmod(0o644)  # the container's user is not this one
    return found


def verdicts(image: str, platform: str | None, recording: Path) -> list[Any]:
    chosen = ("--platform", platform) if platform else ()
    lines = docker(
        *("run", "--rm", "--read-only", "--tmpfs", "/tmp", *chosen),
        *("--volume", f"{recording}:/recording.csv:ro", image, "score", "/recording.csv", "--json"),
        timeout=600,
    )
    return [json.loads(line) for line in lines.splitlines()]


def close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=ABOVE, abs_tol=BELOW)


@pytest.mark.promise("P2")
def test_the_arm64_edge_image_gives_the_same_verdicts(arm64_image: str, recording: Path) -> None:
    architecture = docker("image", "inspect", "--format", "{{.Architecture}}", arm64_image)
    assert architecture.strip() == "arm64"
    here = verdicts(image_of("edge"), None, recording)
    there = verdicts(arm64_image, PLATFORM, recording)
    assert len(here) == len(there) > 100
    assert {"ok", "anomaly"} <= {verdict["state"] for verdict in here}
    for one, other in zip(here, there, strict=True):
        assert (one["sample"], one["violations"]) == (other["sample"], other["violations"])
        assert close(one["score"], other["score"]), (one, other)
        for name, ratio in one["ratios"].items():
            assert close(ratio, other["ratios"][name]), (name, one, other)
