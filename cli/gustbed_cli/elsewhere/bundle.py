"""Everything that a site on another machine needs, in one folder: images, Compose file, installer.

The machine needs a Docker engine with Compose, and neither a registry nor a checkout.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from gustbed_cli.elsewhere.site_model import SiteSpec, resolve
from gustbed_cli.runtime.backend import Progress
from gustbed_core.errors import GustbedError

FILES = Path(__file__).with_name("files")
INSTALL, UNIT, COMPOSE, IMAGES, SETTINGS = (
    "install",
    "gustbed-site.service",
    "compose.yaml",
    "images.txt",
    "site.env",
)
_ID_DIGITS = 12


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image of a bundle: its id, by which a machine knows whether it has it; its name there,
    which no other image ever has; and its archive.
    """

    id: str
    name: str
    archive: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was written. ``release`` is a digest of all that the site runs."""

    folder: Path
    spec: SiteSpec
    platform: str
    release: str
    images: tuple[ImageFile, ...]


def exchange(site: str) -> str:
    """Folder on the machine where requests for a certificate and answers lie."""
    return f"/var/lib/gustbed/{site}/enrol"


def write_bundle(
    spec: SiteSpec, folder: Path, platform: str, report: Progress, hosts: Mapping[str, str]
) -> Bundle:
    """Write a site's bundle, without the archives of its images: ``write_archive`` adds those that
    are needed. ``hosts`` are names that the edge cannot look up there, and their addresses.

    Raises ``GustbedError`` naming an image that is not here, or is for another platform.
    """
    settings = {**spec.settings, "GUSTBED_ENROL_EXCHANGE": exchange(spec.site)}
    model = resolve(
        SiteSpec(spec.site, spec.turbines, spec.tag, spec.turbine_type, spec.twin, settings)
    )
    images: dict[str, ImageFile] = {}
    for service in model["services"].values():
        name = str(service["image"])
        if name not in images:
            images[name] = _look_up(name, platform)
        service["image"] = images[name].name
        service["pull_policy"] = "never"
    if hosts:
        model["services"]["edge"]["extra_hosts"] = [f"{name}={at}" for name, at in hosts.items()]
    report(f"writing {folder}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    text = yaml.safe_dump(model, sort_keys=False)
    listed = "".join(f"{each.id} {each.name} {each.archive}\n" for each in images.values())
    install = (FILES / INSTALL).read_bytes()
    release = hashlib.sha256(b"\0".join((text.encode(), listed.encode(), install))).hexdigest()
    bundle = Bundle(folder, spec, platform, release[:_ID_DIGITS], tuple(images.values()))
    (folder / COMPOSE).write_text(text, encoding="utf-8")
    (folder / IMAGES).write_text(listed, encoding="utf-8")
    (folder / SETTINGS).write_text(_settings(bundle), encoding="utf-8")
    (folder / INSTALL).write_bytes(install)
    (folder / INSTALL).chmod(0o755)
    unit = (FILES / UNIT).read_text(encoding="utf-8")
    unit = unit.replace("@SITE@", spec.site).replace("@PROJECT@", spec.project)
    (folder / UNIT).write_text(unit, encoding="utf-8")
    return bundle


def write_archive(bundle: Bundle, image: ImageFile) -> Path:
    """Save an image beside the bundle's other files. Raises ``GustbedError``."""
    path = bundle.folder / "images" / image.archive
    path.parent.mkdir(exist_ok=True)
    _docker("tag", image.id, image.name)
    _docker("save", "--output", str(path), image.name)
    return path


def _settings(bundle: Bundle) -> str:
    values = {
        "SITE": bundle.spec.site,
        "THING": f"gustbed-{bundle.spec.site}",
        "PROJECT": bundle.spec.project,
        "RELEASE": bundle.release,
        "PLATFORM": bundle.platform,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _look_up(name: str, platform: str) -> ImageFile:
    shown = "{{.Id}} {{.Os}}/{{.Architecture}}"
    done = subprocess.run(
        ["docker", "image", "inspect", "--format", shown, name],
        capture_output=True,
        text=True,
        check=False,
    )
    # Other platforms' images have their architecture in the tag, and no make target pulls any.
    make = f"`scripts/offline-images --pi` and `make images PLATFORM={platform}` make what it needs"
    if done.returncode != 0:
        raise GustbedError(f"image {name} is not here", make)
    identity, found = done.stdout.split()
    if found != platform:
        raise GustbedError(f"image {name} is for {found}, not for {platform}", make)
    digits = identity.removeprefix("sha256:")[:_ID_DIGITS]
    short = name.partition(":")[0].rpartition("/")[2]
    return ImageFile(identity, f"gustbed/{short}:id-{digits}", f"{short}-{digits}.tar")


def _docker(*arguments: str) -> None:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or ["no reason given"]
        raise GustbedError(f"docker {arguments[0]} failed", words[-1][:1000])
