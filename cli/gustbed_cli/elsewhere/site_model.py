"""A site as Compose resolves it: the one description that every way of running it is made from."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gustbed_cli.checkout import require_checkout
from gustbed_core.errors import GustbedError

FILE = "docker-compose.site.yml"
PLACEHOLDER = "no-"
"""Prefix of the volumes that are mounted where a person gave no file of their own."""
_OWN = ("GUSTBED_", "COMPOSE_")


@dataclass(frozen=True, slots=True)
class SiteSpec:
    """What is to run: a site's name, turbines and images.

    ``tag`` is the images'. ``twin``: whether its turbines are simulated. ``settings`` are further
    variables of ``compose/site.yml``, such as ``GUSTBED_EDGE_UPLINK``.
    """

    site: str
    turbines: int
    tag: str = "latest"
    turbine_type: str = ""
    twin: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def project(self) -> str:
        """The Compose project of the site where it runs by itself."""
        return f"gustbed-{self.site.lower()}"

    @property
    def variables(self) -> dict[str, str]:
        """What ``compose/site.yml`` is filled in with; nothing of the shell's own."""
        return {
            **self.settings,
            "COMPOSE_PROJECT_NAME": self.project,
            "GUSTBED_SITE": self.site,
            "GUSTBED_TURBINES": str(self.turbines),
            "GUSTBED_TAG": self.tag,
            **({"GUSTBED_TWIN_TYPE": self.turbine_type} if self.turbine_type else {}),
        }


def resolve(spec: SiteSpec) -> dict[str, Any]:
    """The site's services, networks and volumes in Compose's own form, without what only a build
    needs. Raises ``GustbedError`` if Compose cannot read its files.
    """
    root = require_checkout("a site for another machine")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
    done = subprocess.run(
        ["docker", "compose", "--file", FILE, "config", "--format", "json"],
        cwd=root,
        env={**inherited, **spec.variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or ["no reason given"]
        raise GustbedError("docker compose config failed", words[-1][:2000])
    model: dict[str, Any] = json.loads(done.stdout)
    return _for_running(model, spec)


def _for_running(model: dict[str, Any], spec: SiteSpec) -> dict[str, Any]:
    services = {name: _service(each) for name, each in model["services"].items()}
    if not spec.twin:
        del services["twin"]
    used = {
        volume["source"]
        for service in services.values()
        for volume in service.get("volumes", ())
        if volume["type"] == "volume"
    }
    return {
        "name": spec.project,
        "services": services,
        "networks": {name: _plain(each) for name, each in model["networks"].items()},
        "volumes": {name: {} for name in model["volumes"] if name in used},
    }


def _service(service: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in service.items() if name != "build"}
    kept["environment"] = {
        name: value for name, value in service.get("environment", {}).items() if value
    }
    kept["volumes"] = [
        volume
        for volume in service.get("volumes", ())
        if not str(volume.get("source", "")).startswith(PLACEHOLDER)
    ]
    return {name: value for name, value in kept.items() if value not in (None, {}, [])}


def _plain(network: dict[str, Any] | None) -> dict[str, Any]:
    # Names and address pools are for Compose to choose where it runs.
    return {"internal": True} if network and network.get("internal") else {}
