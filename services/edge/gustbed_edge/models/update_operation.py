"""The job operation ``update_model``: a rollout's job becomes an installed model."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gustbed_core.jobs import OPERATION_UPDATE_MODEL
from gustbed_edge.models.installer import Installer
from gustbed_edge.plugins import JobContext

log = logging.getLogger(__name__)

NAME = OPERATION_UPDATE_MODEL


@dataclass(frozen=True)
class UpdateContext(JobContext):
    """What updates need besides: Gustbed's own, not for plug-ins."""

    installer: Installer


class UpdateModel:
    """Installs what a job's document asks for."""

    def __init__(self, installer: Installer) -> None:
        self._installer = installer

    def run(
        self, job: str, document: Mapping[str, object], progress: Callable[[str], None]
    ) -> Mapping[str, str]:
        """Install a model. Raises ``PackageError``."""
        release = self._installer.install(job, document, progress)
        does = "serves" if release.role == "serve" else "runs in shadow"
        log.warning("job %s: %s %s %s", job, release.name, release.version, does)
        details = {"name": release.name, "version": release.version}
        if release.role != "serve":
            details["role"] = release.role
        return details


def update_model(context: UpdateContext) -> UpdateModel:
    """The factory."""
    return UpdateModel(context.installer)
