"""Is the cloud side in order?"""

from pathlib import Path
from typing import Any

from gustbed_cloud.aws import Session, readable_errors
from gustbed_cloud.enrol import CERTIFICATE, requests
from gustbed_cloud.outputs import describe, stack_outputs
from gustbed_core.errors import GustbedError


@readable_errors()
def check(session: Session, stack: str, enrol_dir: Path) -> dict[str, Any]:
    """Return the stack's state. Raises ``GustbedError`` naming what is not in order.

    In order means: deployed, and every edge that asked to be enrolled has its certificate.
    """
    outputs = stack_outputs(session, stack)
    described = describe(session.client("cloudformation"), stack) or {}
    waiting = [
        thing for thing in requests(enrol_dir) if not (enrol_dir / thing / CERTIFICATE).exists()
    ]
    if waiting:
        raise GustbedError(f"thing {waiting[0]}: not enrolled yet", "run `gustbed-cloud provision`")
    return {
        "stack": stack,
        "status": described.get("StackStatus"),
        "things": list(requests(enrol_dir)),
        "thing_group": outputs.thing_group_name,
    }
