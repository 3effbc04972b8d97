"""The sites of a fleet that run on other machines: what is kept of them here."""

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from gustbed_cli.elsewhere import deploy
from gustbed_cli.elsewhere.site_model import SiteSpec
from gustbed_cli.elsewhere.ssh import connected
from gustbed_cli.fleet import Fleet
from gustbed_cli.runtime.backend import Progress
from gustbed_cli.runtime.selection import current_backend
from gustbed_cli.sites import sites_of
from gustbed_core.errors import GustbedError
from gustbed_core.naming import natural
from gustbed_core.settings import SiteSettings
from gustbed_core.topics import level

FOLDER = "elsewhere"
FILE = "site.json"
_PASSED_ON = ("GUSTBED_EDGE_", "GUSTBED_TWIN_", "GUSTBED_MQTT_BIND", "GUSTBED_MQTT_NAMES")
_OF_THIS_MACHINE = {
    *(f"GUSTBED_TWIN_{name}" for name in ("REPLAY", "SCENARIO", "LAYOUT", "CHECKPOINT", "CACHE")),
    "GUSTBED_TWIN_TYPE",
    "GUSTBED_EDGE_URL",
}


class RemoteSite(msgspec.Struct, frozen=True, kw_only=True):
    """A site on another machine, ``on`` which ssh knows. ``settings`` are its variables."""

    site: str
    on: str
    turbines: int
    turbine_type: str = ""
    twin: bool = True
    tag: str = "latest"
    settings: dict[str, str] = {}

    @property
    def spec(self) -> SiteSpec:
        """What runs there."""
        return SiteSpec(
            self.site, self.turbines, self.tag, self.turbine_type, self.twin, self.settings
        )


def settings_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The shell's variables that hold for a site on another machine, too."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_PASSED_ON) and name not in _OF_THIS_MACHINE and value
    }


def remote_sites(fleet: Fleet) -> list[RemoteSite]:
    """Sites on other machines, as a person counts. Raises ``GustbedError`` naming a bad file."""
    return sorted(_read(fleet), key=lambda each: natural(each.site))


def find_remote(fleet: Fleet, name: str) -> RemoteSite | None:
    """A site on another machine by its name, None if there is none of that name."""
    return next((each for each in remote_sites(fleet) if each.site == name), None)


def require_new(fleet: Fleet, name: str) -> None:
    """Raises ``GustbedError`` if a site of that name is there, or it is no name."""
    try:
        level(name)
    except ValueError as error:
        raise GustbedError("site", str(error)) from error
    names = [each.site.site for each in sites_of(fleet)]
    names += [each.site for each in remote_sites(fleet)]
    if name.lower() in {each.lower() for each in names}:
        raise GustbedError(f"site {name!r} is there already", "see `gustbed site list`")


def put(fleet: Fleet, site: RemoteSite, report: Progress) -> None:
    """Install a site on its machine, or bring it up to date. Raises ``GustbedError``."""
    home = _home(fleet, site.site)
    home.mkdir(parents=True, exist_ok=True)

    def begun() -> None:
        # Before the work: what is left half done can be removed, or done again.
        (home / FILE).write_bytes(msgspec.json.encode(site))

    with connected(site.on, ssh_options()) as machine:
        deploy.deploy(fleet, site.spec, machine, home, begun, report)


def take_away(fleet: Fleet, site: RemoteSite, report: Progress) -> None:
    """Stop a site, delete its data there, and take its edge out of the cloud."""
    with connected(site.on, ssh_options()) as machine:
        deploy.remove(site.spec, machine, delete_data=True)
    settings = SiteSettings(site=site.site, turbines=site.turbines)
    current_backend(fleet.first).retire(settings)
    shutil.rmtree(_home(fleet, site.site))
    report(f"{site.site}: removed from {site.on}")


def services_of(site: RemoteSite) -> list[tuple[str, str, str]]:
    """Service, state and health of each container there. Raises ``GustbedError``."""
    shown = '{{.Service}} {{.State}} {{or .Health "-"}}'
    command = ["docker", "compose", "--project-name", site.spec.project, "ps", "--all"]
    with connected(site.on, ssh_options()) as machine:
        printed = machine.run([*command, "--format", shown], root=True)
    rows = (line.split() for line in printed.splitlines())
    return [(row[0], row[1], row[2]) for row in rows if len(row) > 2]


def ssh_options() -> list[str]:
    """What a person adds to ssh's configuration: ``GUSTBED_SSH_OPTIONS``, as on a command line."""
    return shlex.split(os.environ.get("GUSTBED_SSH_OPTIONS", ""))


def _home(fleet: Fleet, name: str) -> Path:
    return fleet.home / FOLDER / name


def _read(fleet: Fleet) -> Iterator[RemoteSite]:
    for path in (fleet.home / FOLDER).glob(f"*/{FILE}"):
        try:
            yield msgspec.json.decode(path.read_bytes(), type=RemoteSite)
        except (OSError, msgspec.MsgspecError) as error:
            raise GustbedError(f"{path}: {error}", "remove it, and add the site again") from error
