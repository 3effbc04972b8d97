"""IAM policies of the people behind a stack: who deploys, destroys, enrols and operates."""

from pathlib import Path
from string import Template
from typing import Literal, get_args

from gustbed_cloud.aws import Session, readable_errors
from gustbed_core.errors import GustbedError

Task = Literal["deploy", "destroy", "enrol", "operate"]
TASKS: tuple[Task, ...] = get_args(Task)
MAX_CHARACTERS = 6144
"""Of a managed policy, spaces not counted."""
_FOLDER = Path(__file__).with_name("policies")


def policy(task: Task, stack: str, *, region: str, account: str, partition: str = "aws") -> str:
    """A task's policy for one stack, as JSON. Raises ``GustbedError`` for an unusable account."""
    if not (account.isdecimal() and len(account) == 12):
        raise GustbedError(f"account {account!r}", "give its 12 digits")
    text = (_FOLDER / f"{task}.json").read_text(encoding="utf-8")
    names = {"partition": partition, "region": region, "account": account, "stack": stack}
    # Topic rules have no hyphens in their names.
    return Template(text).substitute(names, rules=stack.replace("-", "_"))


@readable_errors()
def here(session: Session) -> tuple[str, str]:
    """Account and partition of the credentials in use."""
    caller = session.client("sts").get_caller_identity()
    return str(caller["Account"]), str(caller["Arn"]).split(":")[1]
