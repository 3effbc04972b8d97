"""Installs what a command needs and the fleet does not."""

import subprocess
import sys

from gustbed_cli.fleet import ROOT
from gustbed_core.errors import GustbedError


def ensure(group: str) -> None:
    """Run ``scripts/setup <group>``; nothing happens if it is there already."""
    done = subprocess.run([str(ROOT / "scripts" / "setup"), group], check=False, stdout=sys.stderr)
    if done.returncode != 0:
        raise GustbedError(f"scripts/setup {group} failed", "see the lines above")
