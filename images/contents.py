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
    needs, uses = [], []
    for wanted in d.requires or ():
        (uses if "extra ==" in wanted else needs).append(re.split(r"[^A-Za-z0-9._-]", wanted)[0])
    said = {"name": d.metadata["Name"], "size": size, "needs": needs, "uses": uses}
    found.append(said)
print(json.dumps(found))
"""
"""Runs inside the image: sizes of what is really there, compiled files too."""


@dataclass(frozen=True)
class Package:
    """A distribution in an image; ``size`` in bytes, ``uses`` what its extras need."""

    name: str
    size: int
    needs: frozenset[str]
    uses: frozenset[str] = frozenset()


def normal(name: str) -> str:
    """A distribution's name, as indexes write it."""
    return name.lower().replace("_", "-").replace(".", "-")


def packages(tag: str, platform: str) -> list[Package]:
    """All distributions of an image, the largest first. Raises ``ImagesError``."""
    command = ("docker", "run", "--rm", "--network", "none", "--platform", platform)
    said = run((*command, "--entrypoint", "python", tag, "-I", "-c", LOOK))
    found = [
        Package(
            normal(d["name"]),
            d["size"],
            needs=frozenset(map(normal, d["needs"])),
            uses=frozenset(map(normal, d["uses"])),
        )
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
        needing = sorted(other.name for other in every if package.name in other.needs)
        using = sorted(
            other.name
            for other in every
            if package.name in other.uses and other.name.startswith("gustbed-")
        )
        wanted = ", ".join(needing or using)
        purpose = PURPOSES.get(package.name, "")
        reason = "; ".join(filter(None, (purpose, wanted and f"for {wanted}"))) or "our own"
        lines.append(f"{package.name} {package.size / MB:.0f} MB: {reason}")
    return lines
