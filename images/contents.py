"""What an image holds: its packages by size, and which of them need which."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from images.catalogue import PURPOSES
from images.engine import run

MB = 1_000_000
LOOK = """
import importlib.metadata as metadata, json, os, re
folders = ["/opt/gustbed/libraries/site-packages", "/opt/gustbed/packages"]
found = []
for d in metadata.distributions(path=folders):
    tops = {str(f).split("/")[0] for f in d.files or () if not str(f).startswith("..")}
    size = 0
    for top in tops:
        for folder in folders:
            path = os.path.join(folder, top)
            if os.path.isfile(path):
                size += os.path.getsize(path)
            for root, _, files in os.walk(path):
                size += sum(os.lstat(os.path.join(root, f)).st_size for f in files)
    needs = [re.split(r"[^A-Za-z0-9._-]", r)[0] for r in d.requires or () if "extra ==" not in r]
    found.append({"name": d.metadata["Name"], "version": d.version, "size": size, "needs": needs})
print(json.dumps(found))
"""
"""Runs inside the image: sizes of what is really there, compiled files too."""


@dataclass(frozen=True)
class Package:
    """A distribution in an image; ``size`` is bytes on its disk."""

    name: str
    version: str
    size: int
    needs: frozenset[str]


def normal(name: str) -> str:
    """A distribution's name, as indexes write it."""
    return name.lower().replace("_", "-").replace(".", "-")


def packages(tag: str, platform: str) -> list[Package]:
    """All distributions of an image, the largest first. Raises ``ImagesError``."""
    command = ("docker", "run", "--rm", "--network", "none", "--platform", platform)
    said = run((*command, "--entrypoint", "python", tag, "-I", "-c", LOOK))
    found = [
        Package(normal(d["name"]), d["version"], d["size"], frozenset(map(normal, d["needs"])))
        for d in json.loads(said)
    ]
    return sorted(found, key=lambda package: -package.size)


def explain(found: Iterable[Package], at_least: int = 5 * MB) -> list[str]:
    """A line for every package of at least so many bytes: its size, its purpose, who needs it."""
    every = list(found)
    lines = []
    for package in every:
        if package.size < at_least:
            continue
        users = sorted(other.name for other in every if package.name in other.needs)
        purpose = PURPOSES.get(package.name, "")
        wanted = f"needed by {', '.join(users)}" if users else ""
        reason = "; ".join(filter(None, (purpose, wanted))) or "our own"
        lines.append(f"{package.name} {package.size / MB:.0f} MB: {reason}")
    return lines
