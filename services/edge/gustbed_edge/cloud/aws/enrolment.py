"""What enrolment has answered: certificate, endpoint, CA, and who may sign releases."""

import logging
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gustbed_core.enrolment import (
    CA,
    CERTIFICATE,
    ENDPOINT,
    REFUSAL,
    SIGNING_KEYS,
    Endpoint,
    adopt_old_layout,
    answer_folder,
)
from gustbed_core.errors import GustbedError
from gustbed_edge.cloud.aws.identity import KEY, ensure_identity
from gustbed_edge.cloud.ports import CloudContext
from gustbed_edge.models.orders import Trust
from gustbed_edge.models.signatures import load_keys

log = logging.getLogger(__name__)

MAX_REFUSAL = 500


@dataclass(frozen=True)
class Answer:
    """What the connection needs. Two answers are equal if a reconnect would change nothing."""

    certificate: bytes
    ca: bytes | None
    endpoint: Endpoint


class AwsIdentity:
    """The thing's key, its request, and the folder in which the answer appears."""

    def __init__(self, context: CloudContext) -> None:
        """Take over what earlier versions left. Raises ``GustbedError`` if that fails."""
        adopt_old_layout(context.enrol_dir, context.thing)
        self.thing = context.thing
        self.folder = answer_folder(context.enrol_dir, context.thing)
        self.key = context.data_dir / KEY
        self._context = context

    def request(self) -> Path:
        """Make key and request unless they are there. Raises ``GustbedError``."""
        context = self._context
        return ensure_identity(context.data_dir, context.enrol_dir, context.thing)

    def answer(self) -> Answer | None:
        """The answer as it is now, or None while there is none or it is still being written.

        Raises ``GustbedError`` naming the file that cannot be read.
        """
        try:
            endpoint = (self.folder / ENDPOINT).read_bytes()
            certificate = (self.folder / CERTIFICATE).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise GustbedError(f"{error.filename}: {error.strerror}") from error
        ca = self.folder / CA
        try:
            place = msgspec.json.decode(endpoint, type=Endpoint)
        except msgspec.MsgspecError as error:
            raise GustbedError(f"{self.folder / ENDPOINT}: {error}", "enrol again") from error
        return Answer(certificate, ca.read_bytes() if ca.exists() else None, place)

    def refusal(self) -> str:
        """Why the cloud does not answer, as it says itself; empty if it says nothing."""
        try:
            with (self.folder / REFUSAL).open(encoding="utf-8", errors="replace") as file:
                return file.read(MAX_REFUSAL).strip()
        except OSError:
            return ""

    def trust(self) -> Trust:
        """Whom this edge obeys, as enrolment says; nobody while its answer cannot be read."""
        keys = load_keys(self.folder / SIGNING_KEYS)
        try:
            answer = self.answer()
        except GustbedError as error:
            log.warning("cloud: %s", error)
            answer = None
        if answer is None:
            return Trust(keys, self.thing)
        return Trust(keys, self.thing, answer.endpoint.targets, answer.endpoint.downloads)
