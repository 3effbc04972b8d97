"""The way into a deployed fleet's cloud."""

from dataclasses import dataclass, field
from typing import Any

from gustbed_cloud.approval_store import Place
from gustbed_cloud.aws import Session, open_session
from gustbed_cloud.outputs import Outputs, stack_outputs
from gustbed_cloud.settings import CloudSettings
from gustbed_core.approvals import ApprovalRecord
from gustbed_core.jobs import Release
from gustbed_core.registrations import Registration
from gustbed_core.settings import load


@dataclass(frozen=True)
class Cloud:
    """A session and the stack that it is about; and what was read there that never changes."""

    session: Session
    outputs: Outputs
    approvals: dict[Place, ApprovalRecord] = field(default_factory=dict)
    registrations: dict[str, Registration] = field(default_factory=dict)
    """By key in the artifact bucket."""
    releases: dict[str, Release | None] = field(default_factory=dict)
    """By job; None for a job that rolls out no model."""

    def client(self, service: str) -> Any:
        """Return a boto3 client."""
        return self.session.client(service)


def connect(stack: str | None = None) -> Cloud:
    """Open the standard AWS configuration and find the stack (``GUSTBED_STACK``).

    Raises ``GustbedError`` if credentials, network or stack are missing.
    """
    session = open_session()
    return Cloud(session, stack_outputs(session, stack or load(CloudSettings).stack))
