"""Installs what a command needs and the fleet does not, or says which package has it."""

import subprocess
import sys
from importlib.util import find_spec
from typing import Literal

from gustbed_cli.checkout import find_checkout
from gustbed_core.errors import GustbedError

Group = Literal["run", "data", "twin", "train", "dev"]
NEEDED: dict[Group, tuple[tuple[str, ...], str]] = {
    "run": (("gustbed_edge", "gustbed_dashboard"), "gustbed-cli"),
    "twin": (
        ("numba", "pyarrow", "floris", "matplotlib"),
        "gustbed-cli[twin]",
    ),
    "data": (("gustbed_training",), "gustbed-cli[train]"),
    "train": (("gustbed_training",), "gustbed-cli[train]"),
}
"""By group: the modules that its commands import, and the package that brings them.

Outside a checkout ``run`` is there always, and nothing needs ``dev``."""


def ensure(group: Group) -> None:
    """Run a checkout's ``scripts/setup <group>``; nothing happens if it is there already.

    Installed from wheels, this only looks. Raises ``GustbedError`` naming the package to install.
    """
    root = find_checkout()
    if root is None:
        if group == "run":
            return
        modules, package = NEEDED[group]
        missing = [name for name in modules if find_spec(name) is None]
        if missing:
            raise GustbedError(
                f"{', '.join(missing)} not installed", f"run `pip install '{package}'`"
            )
        return
    done = subprocess.run([str(root / "scripts" / "setup"), group], check=False, stdout=sys.stderr)
    if done.returncode != 0:
        raise GustbedError(f"scripts/setup {group} failed", "see the lines above")
