"""All packages as wheels, and an environment that holds them and no other Gustbed."""

import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT


@dataclass(frozen=True)
class Environment:
    """A virtual environment without pip. ``wheels``: what may be installed into it."""

    folder: Path
    wheels: Path

    def script(self, name: str) -> Path:
        """Path of a console script or of Python."""
        return self.folder / "bin" / name

    def install(self, *packages: str) -> None:
        """Install wheels of ours with what they declare; no index is asked for anything."""
        command = [sys.executable, "-m", "pip", "--python", str(self.script("python"))]
        options = ["--quiet", "--no-index", "--find-links", str(self.wheels)]
        run(*command, "install", *options, *packages)


def run(*command: str) -> str:
    """Run a command and return what it printed. Raises ``AssertionError`` if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def build(folder: Path) -> Path:
    """Build every wheel into a folder."""
    run(str(ROOT / "scripts" / "wheels"), str(folder))
    return folder


def make_environment(folder: Path, wheels: Path) -> Environment:
    """An environment that sees this one's third-party libraries, but no package of ours."""
    made = folder / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", str(made))
    # Streamlit takes itself for a checkout of its own in a folder of another name.
    libraries = folder / "libraries" / "site-packages"
    libraries.mkdir(parents=True)
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(("gustbed", "__editable__")) and path.suffix != ".pth":
            (libraries / path.name).symlink_to(path)
    (site,) = made.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(f"{libraries}\n")
    return Environment(made, wheels)
