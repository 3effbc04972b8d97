"""Decides between containers and processes."""

from gustbed_cli.fleet import Fleet, FleetSettings
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
    if fleet.record is not None:
        return _as_recorded(fleet)
    docker = DockerRuntime(fleet)
    asked = load(FleetSettings).runtime
    if asked == "docker" or (asked == "auto" and docker.is_running()):
        return docker
    return ProcessRuntime(fleet)


def _as_recorded(fleet: Fleet) -> RuntimeBackend:
    docker = fleet.record is not None and fleet.record.runtime == "docker"
    return DockerRuntime(fleet) if docker else ProcessRuntime(fleet)


def _running(fleet: Fleet) -> RuntimeBackend | None:
    if fleet.record is None:
        return None
    backend = _as_recorded(fleet)
    return backend if backend.is_running() else None
