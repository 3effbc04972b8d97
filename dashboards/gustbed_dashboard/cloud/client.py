"""``gustbed_cloud`` behind the few calls that the dashboard makes: nothing else imports it."""

from dataclasses import dataclass

from gustbed_cloud import operations
from gustbed_cloud.operations import Execution, Job, ModelVersion, explain

__all__ = ["CloudClient", "Execution", "Job", "ModelVersion", "connect", "explain"]

JOBS = 10


@dataclass(frozen=True, slots=True)
class CloudClient:
    """One fleet's cloud."""

    cloud: operations.Cloud

    def models(self) -> list[ModelVersion]:
        """Every registered version, newest first."""
        return operations.list_models(self.cloud)

    def jobs(self) -> list[Job]:
        """The latest rollouts, newest first."""
        return operations.list_jobs(self.cloud, JOBS)

    def approve(self, model: ModelVersion, *, rollback: bool, shadow: bool) -> None:
        """Roll a version out; ``rollback`` says that it may replace a newer one."""
        operations.approve_model(
            self.cloud, model.name, model.version, rollback=rollback, shadow=shadow
        )

    def promote(self, model: ModelVersion) -> None:
        """Let a shadow model serve."""
        operations.promote_model(self.cloud, model.name, model.version)

    def reject(self, model: ModelVersion) -> None:
        """Reject a version."""
        operations.reject_model(self.cloud, model.name, model.version)

    def card(self, name: str, version: str) -> str:
        """A version's model card, Markdown."""
        return operations.model_card(self.cloud, name, version)


def connect() -> CloudClient:
    """A client from the standard AWS configuration. Raises ``GustbedError``."""
    return CloudClient(operations.connect())
