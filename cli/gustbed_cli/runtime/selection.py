"""Decides between containers and processes."""

from gustbed_cli.fleet import Fleet, FleetSettings, read_choice
from gustbed_cli.runtime.backend import Progress, RuntimeBackend
from gustbed_cli.runtime.docker import (
    BaseImageMissingError,
    DockerRuntime,
    make_base_images,
    unusable_because,
)
from gustbed_cli.runtime.process import ProcessRuntime
from gustbed_core.errors import GustbedError
from gustbed_core.settings import load


def select_backend(fleet: Fleet, report: Progress) -> RuntimeBackend:
    """What ``up`` is to use. Raises ``GustbedError`` if Docker is demanded and unusable."""
    asked = load(FleetSettings).runtime
    running = _running(fleet)
    if running is not None:
        if asked not in ("auto", running.name):
            raise GustbedError(
                f"RUNTIME={asked}: this fleet runs with RUNTIME={running.name}",
                "run `gustbed down` first",
            )
        return running
    if asked == "process":
        return ProcessRuntime(fleet)
    reason = unusable_because()
    if asked == "docker" and isinstance(reason, BaseImageMissingError):
        make_base_images(report)
        reason = unusable_because()
    if reason is None:
        return DockerRuntime(fleet)
    if asked == "docker":
        raise GustbedError(f"RUNTIME=docker: {reason.what}", reason.remedy)
    report(f"running as local processes ({reason.what})")
    return ProcessRuntime(fleet)


def current_backend(fleet: Fleet) -> RuntimeBackend:
    """What the last ``up`` used; without one, whatever is running."""
    asked = load(FleetSettings).runtime
    if asked != "auto":
        return DockerRuntime(fleet) if asked == "docker" else ProcessRuntime(fleet)
    choice = read_choice(fleet.home)
    if choice is not None:
        return DockerRuntime(fleet) if choice.runtime == "docker" else ProcessRuntime(fleet)
    docker = DockerRuntime(fleet)
    return docker if docker.is_running() else ProcessRuntime(fleet)


def _running(fleet: Fleet) -> RuntimeBackend | None:
    choice = read_choice(fleet.home)
    if choice is None:
        return None
    backend: RuntimeBackend = (
        DockerRuntime(fleet) if choice.runtime == "docker" else ProcessRuntime(fleet)
    )
    return backend if backend.is_running() else None
