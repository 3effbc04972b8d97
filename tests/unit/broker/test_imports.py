"""The broker's image has no NumPy: nothing that it runs may need it."""

import subprocess
import sys


def test_nothing_of_the_broker_imports_numpy() -> None:
    script = (
        "import importlib, pkgutil, sys, gustbed_broker\n"
        "for module in pkgutil.iter_modules(gustbed_broker.__path__):\n"
        "    importlib.import_module(f'gustbed_broker.{module.name}')\n"
        "print([name for name in ('gustbed_broker.configure', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "['gustbed_broker.configure']"
