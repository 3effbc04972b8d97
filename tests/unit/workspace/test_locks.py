"""The lock files: hashed, agreeing, and not behind the packages."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.locks import LOCKS, entries, pins

ROOT = LOCKS.parent
PROJECTS = {
    "broker": ["services/core", "services/broker"],
    "edge": ["services/core[arrays]", "services/edge"],
    "cloud": ["services/core[arrays]", "services/cloud"],
    "dashboard": ["services/core[arrays]", "services/cloud", "dashboards"],
    "cli": ["services/core[arrays]", "services/broker", "services/cloud", "cli"],
    "twin": ["services/core[arrays]", "twin[generate,utility,wake,validate,fit]"],
    "training": ["services/core[arrays]", "twin[generate,utility]", "training[tracking]"],
}
APART = {"emulator", "images"}
"""In environments of their own: they need not agree with the others."""
HASHED = [*PROJECTS, "build", "dev", *sorted(APART)]
WITHOUT_HASH = {"torch"}


def _dependencies(project: str) -> list[Requirement]:
    folder, _, extras = project.rstrip("]").partition("[")
    text = (ROOT / folder / "pyproject.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)["project"]
    wanted = list(table.get("dependencies", []))
    for extra in filter(None, extras.split(",")):
        wanted += table["optional-dependencies"][extra]
    return [Requirement(w) for w in wanted if not w.startswith("gustbed-")]


def test_every_lock_is_either_hashed_or_the_constraints() -> None:
    assert {p.stem for p in LOCKS.glob("*.lock")} == {*HASHED, "requirements"}


@pytest.mark.parametrize("lock", HASHED)
def test_every_pin_carries_hashes(lock: str) -> None:
    bare = [e for e in entries(lock) if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", e)]
    assert entries(lock)
    assert not bare


@pytest.mark.parametrize("lock", sorted(set(HASHED) - APART))
def test_a_lock_agrees_with_the_constraints(lock: str) -> None:
    versions = pins("requirements")
    assert {n: v for n, v in pins(lock).items() if versions.get(n) != v} == {}


@pytest.mark.parametrize("lock", PROJECTS)
def test_a_lock_holds_what_its_packages_ask_for(lock: str) -> None:
    pinned = pins(lock) | {n: pins("requirements")[n] for n in WITHOUT_HASH}
    behind = [
        str(wanted)
        for project in PROJECTS[lock]
        for wanted in _dependencies(project)
        if pinned.get(canonicalize_name(wanted.name), "0") not in wanted.specifier
    ]
    assert behind == [], "run scripts/lock"


def test_nothing_but_pytorch_is_installed_without_a_hash() -> None:
    scripts = [ROOT / "scripts/setup", ROOT / "images/install"]
    installs = [
        line.strip()
        for script in scripts
        for line in Path(script).read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*(\w+=\S+ )?(pip_install|install) ", line)
    ]
    without = [
        line for line in installs if "--require-hashes" not in line and "--no-deps" not in line
    ]
    assert len(installs) >= 5
    assert without
    assert all(line.endswith(" torch") for line in without)
