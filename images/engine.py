"""Docker, asked as a person would ask it."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class ImagesError(Exception):
    """One line that names the thing and the remedy."""


def run(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    timeout: float = 600,
    show: bool = False,
) -> str:
    """What the command printed. Raises ``ImagesError`` if it fails or takes too many seconds."""
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdout=None if show else subprocess.PIPE,
            stderr=None if show else subprocess.PIPE,
            text=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise ImagesError(f"{command[0]} is not installed: install it") from error
    except subprocess.TimeoutExpired as error:
        raise ImagesError(f"{' '.join(command[:3])} took more than {timeout:.0f} s") from error
    if done.returncode != 0:
        said = (done.stderr or "see the lines above").strip().splitlines() or ["it said nothing"]
        raise ImagesError(f"{' '.join(command[:3])} failed: {said[-1]}")
    return done.stdout or ""


def inspect(image: str) -> Any:
    """``docker image inspect``."""
    return json.loads(run(("docker", "image", "inspect", image)))[0]
