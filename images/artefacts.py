"""What goes with an image: its bill of materials, and an archive for places without a registry."""

import hashlib
import json
import shutil
import sys
import tarfile
from pathlib import Path

from images.engine import ImagesError, run

FORMAT = "cyclonedx-json"


def bill(tag: str, path: Path) -> tuple[int, int]:
    """Write the image's CycloneDX bill of materials: numbers of Python and Debian packages in it.

    Raises ``ImagesError`` if it lacks either.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    run((_syft(), f"docker:{tag}", "--quiet", "--output", f"{FORMAT}={path}"))
    components = json.loads(path.read_text(encoding="utf-8"))["components"]
    kinds = [str(each.get("purl", "")).partition("/")[0] for each in components]
    python, debian = kinds.count("pkg:pypi"), kinds.count("pkg:deb")
    if not python or not debian:
        raise ImagesError(
            f"{path}: {python} Python and {debian} Debian packages: is it an image of ours?"
        )
    return python, debian


def _syft() -> str:
    """A newer one on PATH, or the one that ``requirements/images.lock`` names."""
    beside = Path(sys.executable).with_name("syft")
    found = shutil.which("syft") or (str(beside) if beside.exists() else "")
    if not found:
        raise ImagesError("syft is not installed: run scripts/images, or install syft")
    return found


def archive(tag: str, path: Path) -> str:
    """Save an image as an OCI archive that ``docker load`` takes too. Returns its SHA-256.

    Raises ``ImagesError`` if Docker wrote another format.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    run(("docker", "save", "--output", str(path), tag))
    # Docker leaves it to its own user alone, and it is meant to be carried.
    path.chmod(0o644)
    with tarfile.open(path) as tar:
        names = set(tar.getnames())
    if not {"oci-layout", "index.json"} <= names:
        raise ImagesError(f"{path}: not an OCI archive: use Docker Engine 25 or newer")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    path.with_name(f"{path.name}.sha256").write_text(f"{digest}  {path.name}\n", encoding="utf-8")
    return digest
