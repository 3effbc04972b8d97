"""What the lock files say."""

import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT

LOCKS = ROOT / "requirements"


def entries(lock: str) -> list[str]:
    """One text per pin of ``requirements/<lock>.lock``, with its hashes if it has any."""
    text = (LOCKS / f"{lock}.lock").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if "==" in line and not line.startswith("#")]


def pins(lock: str) -> dict[str, str]:
    """Version by normalised name."""
    found: dict[str, str] = {}
    for entry in entries(lock):
        requirement = Requirement(re.split(r"\s--hash", entry)[0])
        (pin,) = requirement.specifier
        found[canonicalize_name(requirement.name)] = pin.version
    return found
