"""What the command line and the dashboard may ask of the cloud.

Open a ``Cloud`` once with ``connect`` and pass it to each function. Every function raises
``GustbedError`` in one line when AWS does not answer or refuses.
"""

from gustbed_cloud.aws import open_session
from gustbed_cloud.client import Cloud, connect
from gustbed_cloud.logs import LogRecord, read_events, read_log
from gustbed_cloud.models import (
    Approval,
    ModelVersion,
    approve_model,
    list_models,
    register_model,
    reject_model,
)
from gustbed_cloud.outputs import Outputs, stack_outputs
from gustbed_cloud.rollouts import Execution, Job, list_jobs

__all__ = [
    "Approval",
    "Cloud",
    "Execution",
    "Job",
    "LogRecord",
    "ModelVersion",
    "Outputs",
    "approve_model",
    "connect",
    "list_jobs",
    "list_models",
    "open_session",
    "read_events",
    "read_log",
    "register_model",
    "reject_model",
    "stack_outputs",
]
