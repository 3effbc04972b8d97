"""Base images by digest: asked of a registry where one answers, recorded in ``bases.lock``."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from images.engine import ROOT

LOCK = ROOT / "images/bases.lock"
PLACES = (
    "images/Dockerfile",
    "compose/site.yml",
    "cli/gustbed_cli/runtime/docker.py",
    "scripts/offline-images",
)
"""Files that name base images, and must name the recorded digest with them."""
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
ANSWER_WITHIN = 60.0


def recorded(lock: Path = LOCK) -> dict[str, str]:
    """Digest by base image; empty where no registry has told one."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    words = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return {name: (digest or [""])[0] for name, *digest in words}


def reference(name: str, digest: str) -> str:
    """How an image is named so that it is this one."""
    return f"{name}@{digest}" if digest else name


def ask(name: str) -> str:
    """The digest of all its platforms together, as its registry says; empty without an answer."""
    command = (
        "docker",
        "buildx",
        "imagetools",
        "inspect",
        name,
        "--format",
        "{{.Manifest.Digest}}",
    )
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=ANSWER_WITHIN, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = done.stdout.strip()
    return said if done.returncode == 0 and DIGEST.fullmatch(said) else ""


def renew(root: Path = ROOT, asked: Callable[[str], str] = ask) -> dict[str, str]:
    """Record what registries answer. Returns what to say of each base image.

    Where none answers, what was recorded stays.
    """
    lock = root / "images/bases.lock"
    known, said = recorded(lock), {}
    for name, digest in known.items():
        if answer := asked(name):
            known[name] = answer
            said[name] = "unchanged" if answer == digest else f"now {answer}"
        else:
            said[name] = f"no registry answers; stays {digest or 'without a digest'}"
    comments = [line for line in lock.read_text().splitlines() if line.startswith("#")]
    entries = [f"{name} {digest}".strip() for name, digest in known.items()]
    lock.write_text("\n".join([*comments, *entries]) + "\n", encoding="utf-8")
    for place in PLACES:
        path = root / place
        text = path.read_text(encoding="utf-8")
        for name, digest in known.items():
            text = re.sub(named_in_text(name), reference(name, digest), text)
        path.write_text(text, encoding="utf-8")
    return said


def named_in_text(name: str) -> str:
    """A pattern for the image in a file, with whatever digest it has there."""
    return rf"(?<![\w./-]){re.escape(name)}(?:@{DIGEST.pattern})?(?![\w.-])"
