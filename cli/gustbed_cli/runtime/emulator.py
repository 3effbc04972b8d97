"""The AWS emulator's own Python environment: it pins botocore, so it cannot share ours."""

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from gustbed_cli.checkout import find_checkout
from gustbed_cli.fleet import Fleet
from gustbed_cli.foreign import without_foreign
from gustbed_cli.runtime.backend import Progress
from gustbed_core.errors import GustbedError

SCRIPTS = Path(str(files("gustbed_cloud") / "emulator"))
LOCK = SCRIPTS / "requirements.lock"
REPORT_EVERY = 10
"""Packages between two lines of progress."""
REMEDY = "check the network and the lines above, or set GUSTBED_EMULATOR_PYTHON to one that has it"


def command(fleet: Fleet, script: str) -> tuple[str, ...]:
    """How to run one of the emulator's scripts."""
    return (str(python(fleet)), str(SCRIPTS / script))


def python(fleet: Fleet) -> Path:
    """The interpreter of the emulator's environment, whether it is there or not."""
    if fleet.place.emulator_python is not None:
        return fleet.place.emulator_python
    root = find_checkout()
    folder = fleet.home / "emulator-env" if root is None else root / ".venv-emulator"
    return folder / "bin" / "python"


def ensure_environment(fleet: Fleet, report: Progress) -> None:
    """Have the environment, made from the pins that the package carries if we were installed.

    Raises ``GustbedError`` if it is missing and cannot be made.
    """
    interpreter = python(fleet)
    if fleet.place.emulator_python is not None or find_checkout() is not None:
        if not interpreter.exists():
            remedy = "run `make setup`" if find_checkout() else "set GUSTBED_EMULATOR_PYTHON right"
            raise GustbedError(f"{interpreter} is missing", remedy)
        return
    installed = interpreter.parents[1] / LOCK.name
    pins = LOCK.read_bytes()
    if installed.is_file() and installed.read_bytes() == pins:
        return
    _make(interpreter.parents[1], report)
    installed.write_bytes(pins)


def ensure_access(fleet: Fleet) -> None:
    """Have the key of this home's cloud before any of its clients starts.

    Raises ``GustbedError`` if it cannot be made.
    """
    made = subprocess.run(
        [*command(fleet, "access.py"), str(fleet.aws_credentials)],
        env=without_foreign(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise GustbedError(made.stderr.strip().removeprefix("gustbed-emulator: ")[-300:])


def _make(folder: Path, report: Progress) -> None:
    total = LOCK.read_text(encoding="utf-8").count("==")
    report(f"installing the AWS emulator into {folder} ({total} packages, once)")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        env=without_foreign(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        reason = (made.stdout + made.stderr).strip().splitlines()[-1:]
        raise GustbedError(f"cannot make {folder}: {' '.join(reason)[:300]}", REMEDY)
    install = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    pip = subprocess.Popen(
        [str(folder / "bin" / "python"), *install, "-r", str(LOCK)],
        env=without_foreign(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with pip:
        error = _follow(pip, total, report)
    if pip.returncode != 0:
        raise GustbedError(f"pip could not install the AWS emulator: {error[:300]}", REMEDY)


def _follow(pip: subprocess.Popen[str], total: int, report: Progress) -> str:
    """Report pip's progress; return its first error."""
    error, collected = "", 0
    for line in pip.stdout or ():
        if line.startswith(("Collecting ", "Processing ")):
            collected += 1
            if collected % REPORT_EVERY == 0:
                report(f"{min(collected, total)} of {total} packages")
        elif line.startswith("ERROR: ") and not error:
            error = line.removeprefix("ERROR: ").strip()
    return error
