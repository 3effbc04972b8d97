"""Take one device out of the fleet for good: its thing, its certificates, its answer, its pin."""

import shutil
from pathlib import Path

from gustbed_cloud.aws import Session, readable_errors
from gustbed_cloud.device_keys import STACK_ATTRIBUTE, Records, registered
from gustbed_cloud.enrol import write_whole
from gustbed_cloud.requests import check_thing
from gustbed_cloud.teardown import remove_thing
from gustbed_core.enrolment import answer_folder
from gustbed_core.errors import GustbedError


@readable_errors()
def retire(session: Session, stack: str, enrol_dir: Path, thing: str) -> None:
    """Delete a thing of the stack and what was kept of it; nothing happens to one that is unknown.

    Another device may be enrolled under the name afterwards, as if for the first time.
    Raises ``GustbedError``, for a thing of another stack too.
    """
    iot = session.client("iot")
    known = registered(iot, check_thing(thing))
    if known.exists:
        owner = known.attributes.get(STACK_ATTRIBUTE, stack)
        if owner != stack:
            raise GustbedError(f"thing {thing} is of stack {owner}", "set GUSTBED_STACK to it")
        remove_thing(iot, thing)
    shutil.rmtree(answer_folder(enrol_dir, thing), ignore_errors=True)
    Records(enrol_dir, write_whole).forget(thing)
