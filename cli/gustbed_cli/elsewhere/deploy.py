"""Puts a site on another machine over ssh, enrols its edge, and confirms that it works there."""

import ipaddress
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gustbed_cli.elsewhere.bundle import (
    COMPOSE,
    IMAGES,
    INSTALL,
    SETTINGS,
    UNIT,
    Bundle,
    exchange,
    write_archive,
    write_bundle,
)
from gustbed_cli.elsewhere.site_model import SiteSpec, resolve
from gustbed_cli.elsewhere.ssh import Machine
from gustbed_cli.fleet import Fleet
from gustbed_cli.runtime.backend import Progress
from gustbed_core.enrolment import ANSWERS, CERTIFICATE, REQUESTS, answer_folder, request_path
from gustbed_core.errors import GustbedError

REQUEST_WITHIN = 180.0
"""Seconds from a site's start until its edge has made its key and asks for a certificate."""
LOOK_EVERY = 2.0
HEALTHY_WITHIN = 60
"""Seconds after which a release that is not healthy is taken back."""
PLATFORM = ("docker", "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")
EMULATOR = "emulator"
"""By which containers call the local cloud, whose certificate and links hold for that name."""


@dataclass(frozen=True, slots=True)
class CloudName:
    """Where devices find a local cloud: the name it goes by, and its address on the network."""

    name: str
    address: str

    @property
    def hosts(self) -> Mapping[str, str]:
        """What a machine cannot look up by itself."""
        return {} if self.name == self.address else {self.name: self.address}


def deploy(
    fleet: Fleet,
    spec: SiteSpec,
    machine: Machine,
    home: Path,
    begun: Callable[[], None],
    report: Progress,
) -> None:
    """Install or update a site; nothing changes where it runs already as it should.

    ``home`` keeps the bundle, and what enrolment exchanged. ``begun`` is called before anything is
    started there. Raises ``GustbedError``; a release that is not healthy within a minute was taken
    back then.
    """
    within = _seconds_to_be_healthy()
    # As root: on a Raspberry Pi nobody else may speak to the engine, unless somebody said so.
    platform = machine.run(list(PLATFORM), root=True).strip()
    cloud = _cloud_of(fleet, machine) if fleet.target == "local" else None
    bundle = write_bundle(
        _for_platform(spec, platform),
        home / "bundle",
        platform,
        report,
        cloud.hosts if cloud else {},
    )
    there = f".cache/gustbed/{spec.site}"
    machine.put(bundle.folder, [COMPOSE, IMAGES, SETTINGS, UNIT, INSTALL], there)
    _send_images(bundle, machine, there, report)
    install = f"{there}/{INSTALL}"
    machine.run([install, "load"], root=True, show=True, timeout=1800)
    begun()
    machine.run([install, "start"], root=True, show=True, timeout=600)
    _enrol(fleet, spec, machine, home, cloud, report)
    confirm = ["env", f"GUSTBED_HEALTHY_WITHIN={within}", install, "confirm"]
    machine.run(confirm, root=True, show=True, timeout=within + 300)


def remove(spec: SiteSpec, machine: Machine, *, delete_data: bool) -> None:
    """Stop a site, and delete what it has there if asked. Raises ``GustbedError``."""
    more = ["--delete-data"] if delete_data else []
    install = f".cache/gustbed/{spec.site}/{INSTALL}"
    machine.run([install, "remove", *more], root=True, show=True)
    machine.run(["rm", "-rf", f".cache/gustbed/{spec.site}"])


def _seconds_to_be_healthy() -> int:
    said = os.environ.get("GUSTBED_HEALTHY_WITHIN") or str(HEALTHY_WITHIN)
    if not said.isdecimal() or int(said) < 1:
        raise GustbedError(f"GUSTBED_HEALTHY_WITHIN={said}", "give whole seconds, 60 say")
    return int(said)


def _for_platform(spec: SiteSpec, platform: str) -> SiteSpec:
    """The images' tag for a platform that is not this machine's, as ``make images`` gives it."""
    here = subprocess.run(PLATFORM, capture_output=True, text=True, check=False).stdout.strip()
    if platform == here:
        return spec
    tag = f"{spec.tag}-{platform.rpartition('/')[2]}"
    broker = f"{_mosquitto(spec)}-{platform.rpartition('/')[2]}"
    return replace(spec, tag=tag, settings={**spec.settings, "MOSQUITTO_IMAGE": broker})


def _mosquitto(spec: SiteSpec) -> str:
    return str(resolve(spec)["services"]["broker"]["image"])


def _send_images(bundle: Bundle, machine: Machine, there: str, report: Progress) -> None:
    missing = set(machine.run([f"{there}/{INSTALL}", "missing"], root=True).split())
    for image in bundle.images:
        if image.archive not in missing:
            continue
        path = write_archive(bundle, image)
        size = path.stat().st_size
        report(f"sending {image.name} ({size / 1e6:.0f} MB)")
        started = time.monotonic()
        machine.put(bundle.folder, [f"images/{image.archive}"], there)
        seconds = time.monotonic() - started
        report(f"sent in {seconds:.0f} s ({size / 1e6 / max(seconds, 0.01):.0f} MB/s)")
        path.unlink()
        load = [f"{there}/{INSTALL}", "load", image.archive]
        machine.run(load, root=True, show=True, timeout=1800)
        # It would be on the machine's card twice.
        machine.run(["rm", "-f", f"{there}/images/{image.archive}"])


def _cloud_of(fleet: Fleet, machine: Machine) -> CloudName:
    """How the machine finds this one's cloud. Raises ``GustbedError`` if it cannot reach it."""
    # What ssh itself says of where the connection comes from.
    address = machine.run(["sh", "-c", "echo ${SSH_CONNECTION%% *}"]).strip()
    docker = fleet.record is not None and fleet.record.runtime == "docker"
    name = EMULATOR if docker else os.environ.get("GUSTBED_EMULATOR_NAME", "")
    how = (
        "GUSTBED_CLOUD_BIND=0.0.0.0"
        if docker
        else f"GUSTBED_EMULATOR_HOST=0.0.0.0 GUSTBED_EMULATOR_NAME={address}"
    )
    port = fleet.place.port_iot
    look = f"timeout 10 bash -c 'exec 3<>/dev/tcp/{address}/{port}' 2>/dev/null && echo yes || true"
    # One that goes by no name of its own gives out links that hold on this machine alone.
    if not name or not machine.run(["sh", "-c", look]):
        raise GustbedError(
            f"{machine.destination} cannot reach this machine's cloud at {address}:{port}",
            f"start the fleet with {how}, and let the firewall pass ports {port} and "
            f"{fleet.place.port_aws}",
        )
    return CloudName(address if _is_address(name) else name, address)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _enrol(
    fleet: Fleet,
    spec: SiteSpec,
    machine: Machine,
    home: Path,
    cloud: CloudName | None,
    report: Progress,
) -> None:
    """Carry the edge's request here and the answer back. Whoever deploys a site has said that it
    may have a certificate.
    """
    thing = f"gustbed-{spec.site}"
    there = f"{exchange(spec.site)}/{ANSWERS}/{thing}"
    request = _request(machine, f"{exchange(spec.site)}/{REQUESTS}/{thing}/request.csr", report)
    enrol_dir = home / "enrol"
    known = request_path(enrol_dir, thing)
    if known.is_file() and known.read_text(encoding="ascii") == request:
        look = f"test -f {there}/{CERTIFICATE} && echo yes || true"
        if machine.run(["sh", "-c", look], root=True):
            report(f"{thing} is enrolled already")
            return
    known.parent.mkdir(parents=True, exist_ok=True)
    known.write_text(request, encoding="ascii")
    changes = {"GUSTBED_ENROL_DIR": str(enrol_dir)}
    if cloud is not None:
        changes |= {"GUSTBED_IOT_HOST": cloud.name}
    done = subprocess.run(
        [sys.executable, "-m", "gustbed_cloud", "enrol", thing, "--replace-key"],
        env={**fleet.environment(), **changes},
        stdout=sys.stderr,
        check=False,
    )
    if done.returncode != 0:
        # Else a next time would take the certificate of the key before for this one's.
        known.unlink()
        raise GustbedError(f"{thing} is not enrolled", "see the lines above")
    _answer(machine, answer_folder(enrol_dir, thing), there)


def _request(machine: Machine, path: str, report: Progress) -> str:
    report("waiting until the edge asks for a certificate")
    deadline = time.monotonic() + REQUEST_WITHIN
    while time.monotonic() < deadline:
        found = machine.run(["sh", "-c", f"cat {path} 2>/dev/null || true"], root=True)
        if found.rstrip().endswith("-----"):
            return found
        time.sleep(LOOK_EVERY)
    raise GustbedError(
        f"{machine.destination}: no request at {path} after {REQUEST_WITHIN:.0f} s",
        "look there with `docker ps --all` and `docker logs`",
    )


def _answer(machine: Machine, folder: Path, there: str) -> None:
    """Lay an answer where the edge looks; the certificate last, for it says that all is there."""
    staged = f".cache/gustbed/answer-{folder.name}"
    names = sorted(path.name for path in folder.iterdir())
    machine.put(folder, names, staged)
    others = " ".join(f"{staged}/{name}" for name in names if name != CERTIFICATE)
    script = (
        f"set -e; install -d -o 10001 -g 10001 {there}; cp -r {others} {there}/; "
        f"cp {staged}/{CERTIFICATE} {there}/; chown -R 10001:10001 {there}; rm -rf {staged}"
    )
    machine.run(["sh", "-c", script], root=True)
