"""Is the cloud side in order?"""

from pathlib import Path
from typing import Any

from gustbed_cloud.aws import Session, readable_errors
from gustbed_cloud.outputs import describe, stack_outputs
from gustbed_cloud.requests import requests
from gustbed_core.enrolment import CERTIFICATE, REFUSAL, answer_folder
from gustbed_core.errors import GustbedError


@readable_errors()
def check(session: Session, stack: str, enrol_dir: Path) -> dict[str, Any]:
    """Return the stack's state. Raises ``GustbedError`` naming what is not in order.

    In order means: deployed, and every edge that asked to be enrolled has its certificate, or was
    told why not: that is for an operator, and no restart mends it.
    """
    outputs = stack_outputs(session, stack)
    described = describe(session.client("cloudformation"), stack) or {}
    waiting = [thing for thing in requests(enrol_dir) if not _is_answered(enrol_dir, thing)]
    if waiting:
        raise GustbedError(f"thing {waiting[0]}: not enrolled yet", "run `gustbed-cloud provision`")
    return {
        "stack": stack,
        "status": described.get("StackStatus"),
        "things": list(requests(enrol_dir)),
        "thing_group": outputs.thing_group_name,
    }


def _is_answered(enrol_dir: Path, thing: str) -> bool:
    folder = answer_folder(enrol_dir, thing)
    return any((folder / name).exists() for name in (CERTIFICATE, REFUSAL))
