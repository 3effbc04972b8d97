"""What enrolment has answered: certificate, endpoint, CA, and who may sign releases."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from gustbed_core.errors import GustbedError
from gustbed_edge.cloud.aws.identity import KEY, ensure_identity
from gustbed_edge.cloud.ports import CloudContext
from gustbed_edge.models.signatures import load_keys

CERTIFICATE, CA, ENDPOINT, KEYS = "certificate.pem", "ca.pem", "endpoint.json", "signing-keys"


@dataclass(frozen=True)
class Endpoint:
    """Where IoT Core listens for MQTT over mutual TLS."""

    host: str
    port: int


@dataclass(frozen=True)
class Answer:
    """What the connection needs. Two answers are equal if a reconnect would change nothing."""

    certificate: bytes
    ca: bytes | None
    endpoint: Endpoint


class AwsIdentity:
    """The thing's key, and the folder in which its request lies and the answer appears."""

    def __init__(self, context: CloudContext) -> None:
        self.thing = context.thing
        self.folder = context.enrol_dir / context.thing
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

    def signing_keys(self) -> dict[str, ec.EllipticCurvePublicKey]:
        """Public keys that may sign releases, by key id."""
        return load_keys(self.folder / KEYS)
