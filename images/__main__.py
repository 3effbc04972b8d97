"""``python -m images build|bases``: builds the images, and says what is in them."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from images import artefacts, bases, contents, starts
from images.catalogue import Image, named
from images.engine import ROOT, ImagesError, inspect, run
from images.table import Row, render

REGISTRY = "gustbed"
HERE = {"x86_64": "linux/amd64", "aarch64": "linux/arm64", "arm64": "linux/arm64"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand: 0 done, 1 failed, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        options.function(options)
    except (ImagesError, ValueError) as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    return 0


def build(options: argparse.Namespace) -> None:
    """Build, look into, measure, and write what was asked for."""
    here = HERE.get(os.uname().machine, "")
    platform = options.platform or here
    images = named(options.image, platform)
    environment = settings(options.tag, platform if platform != here else "")
    bake = ("docker", "buildx", "bake", "--file", "images/bake.hcl", "--load")
    run((*bake, *(image.name for image in images)), environment, timeout=7200, show=True)
    tag = environment["GUSTBED_TAG"]
    times: Mapping[str, float] = {}
    if platform == here and len(images) > 1 and not options.quick:
        times = starts.fleet_times(tag)
    rows = [_row(image, tag, platform, times) for image in images]
    print(render(rows, platform))
    _say_bases(environment)
    for image in images:
        _artefacts(image, f"{REGISTRY}/{image.name}:{tag}", platform, options)


def _row(image: Image, tag: str, platform: str, times: Mapping[str, float]) -> Row:
    name = f"{REGISTRY}/{image.name}:{tag}"
    seen = inspect(name)
    starting = {s: times[s] for s in image.services if s in times}
    return Row(
        image=image.name,
        size=int(seen["Size"]),
        user=seen["Config"]["User"],
        layers=tuple(seen["RootFS"]["Layers"]),
        parts=tuple(contents.explain(contents.packages(name, platform))),
        starts=starting,
        words=" ".join(image.helps),
        words_seconds=starts.help_time(name, image, platform),
    )


def settings(
    tag: str, platform: str, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The variables of ``images/bake.hcl``: the environment, below it ``.env`` and the checkout."""
    git = ("git", "describe", "--match=", "--always", "--abbrev=40", "--dirty")
    found = {
        "GUSTBED_VERSION": (ROOT / "VERSION").read_text(encoding="utf-8").strip(),
        **({"GUSTBED_REVISION": commit} if (commit := _said(git)) else {}),
        **({"GUSTBED_SOURCE": origin} if (origin := _origin()) else {}),
        **dot_env(ROOT / ".env"),
        **environment,
    }
    if platform:
        found["PLATFORMS"] = platform
        # A stand-in holds one platform only: the other's carries its name.
        stand_in = f"{found.get('PYTHON_IMAGE', '')}-{platform.rpartition('/')[2]}"
        if _said(("docker", "image", "inspect", "--format", "there", stand_in)):
            found |= {"BUILD_IMAGE": found["PYTHON_IMAGE"], "PYTHON_IMAGE": stand_in}
        found["GUSTBED_TAG"] = (
            f"{tag or found.get('GUSTBED_TAG', 'latest')}-{platform.rpartition('/')[2]}"
        )
    else:
        found["GUSTBED_TAG"] = tag or found.get("GUSTBED_TAG", "latest")
    return found


def dot_env(path: Path) -> dict[str, str]:
    """Plain ``NAME=value`` lines of Compose's file, if there is one."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if "=" in line and not line.startswith("#")]
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}


def _origin() -> str:
    origin = _said(("git", "remote", "get-url", "origin"))
    # Nobody's password, and no path of this machine.
    return origin if origin.startswith("https://") and "@" not in origin else ""


def _said(command: Sequence[str]) -> str:
    try:
        return run(command, timeout=30).strip()
    except ImagesError:
        return ""


def _say_bases(environment: Mapping[str, str]) -> None:
    used = environment.get("PYTHON_IMAGE")
    for name, digest in bases.recorded().items():
        pinned = digest or "by its tag: no registry has told its digest (`make bases` asks)"
        replaced = f"; replaced by {used}" if used and name.startswith("python:") else ""
        print(f"base {name}: {pinned}{replaced}")


def _artefacts(image: Image, name: str, platform: str, options: argparse.Namespace) -> None:
    stem = f"gustbed-{image.name}-{platform.rpartition('/')[2]}"
    if options.sboms:
        path = options.sboms / f"{stem}.cdx.json"
        python, debian = artefacts.bill(name, path)
        print(f"{path}: {python} Python and {debian} Debian packages")
    if options.archives:
        path = options.archives / f"{stem}.tar"
        print(f"{path}: sha256 {artefacts.archive(name, path)}")


def _bases(_options: argparse.Namespace) -> None:
    for name, said in bases.renew().items():
        print(f"{name}: {said}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("images", description=__doc__)
    commands = parser.add_subparsers(required=True)
    building = commands.add_parser("build", help="build, and print what is in each image")
    building.add_argument("image", nargs="*", help="all but training, if none is named")
    building.add_argument(
        "--platform", default="", help="linux/amd64 or linux/arm64; this machine's"
    )
    building.add_argument("--tag", default="", help="else GUSTBED_TAG, or latest")
    building.add_argument("--sboms", type=Path, help="folder for CycloneDX bills of materials")
    building.add_argument("--archives", type=Path, help="folder for OCI archives")
    building.add_argument("--quick", action="store_true", help="start no fleet to measure it")
    building.set_defaults(function=build)
    renewing = commands.add_parser("bases", help="ask registries for the base images' digests")
    renewing.set_defaults(function=_bases)
    return parser


if __name__ == "__main__":
    sys.exit(main())
