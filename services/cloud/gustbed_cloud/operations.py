"""What the command line and the dashboard may ask of the cloud.

Open a ``Cloud`` once with ``connect`` and pass it to each function. Every function raises
``GustbedError`` in one line when AWS does not answer or refuses.
"""

from gustbed_cloud.approvals import approve_model, promote_model, reject_model
from gustbed_cloud.aws import open_session
from gustbed_cloud.client import Cloud, connect
from gustbed_cloud.following import explain, follow_rollout
from gustbed_cloud.lake import fetch_captures
from gustbed_cloud.logs import LogRecord, read_events, read_log
from gustbed_cloud.models import ApprovalStatus, ModelVersion, list_models
from gustbed_cloud.outputs import Outputs, stack_outputs
from gustbed_cloud.packages import approved_package, fetch_package, model_card
from gustbed_cloud.registration import register_model
from gustbed_cloud.rollouts import Execution, Job, list_jobs
from gustbed_core.approvals import ApprovalRecord
from gustbed_core.registrations import GateResult

__all__ = [
    "ApprovalRecord",
    "ApprovalStatus",
    "Cloud",
    "Execution",
    "GateResult",
    "Job",
    "LogRecord",
    "ModelVersion",
    "Outputs",
    "approve_model",
    "approved_package",
    "connect",
    "explain",
    "fetch_captures",
    "fetch_package",
    "follow_rollout",
    "list_jobs",
    "list_models",
    "model_card",
    "open_session",
    "promote_model",
    "read_events",
    "read_log",
    "register_model",
    "reject_model",
    "stack_outputs",
]
