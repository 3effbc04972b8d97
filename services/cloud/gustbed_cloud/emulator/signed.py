"""Whether a request to the registry is signed by who may call, as AWS's JSON services judge it.

The home's key is known to the registry itself. Functions sign with sessions of their roles, which
only the emulator knows: it is asked whether such a signature holds, and no secret travels.
"""

import base64
import importlib
import json
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from access import AccessKey

VERIFY = "/_gustbed/verify"
"""Where the emulator says whether a request is signed with one of its sessions."""
MAX_BODY = 8 * 1024 * 1024
WITHIN = 5.0
"""Seconds that the emulator may take for that."""
UNSIGNED = ("MissingAuthenticationTokenException", "Missing Authentication Token")
UNKNOWN = (
    "UnrecognizedClientException",
    "The security token included in the request is invalid.",
)
Refusal = tuple[str, str] | None


@dataclass(frozen=True)
class Request:
    """What a signature covers of a request without a query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, environ: Mapping[str, Any], body: bytes) -> "Request":
        """From WSGI's environment."""
        return cls(environ["REQUEST_METHOD"], environ["PATH_INFO"], _headers(environ), body)

    def to_json(self) -> bytes:
        """For the emulator."""
        body = base64.b64encode(self.body).decode()
        return json.dumps([self.method, self.path, self.headers, body]).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Request":
        """Raises ``ValueError`` or ``TypeError`` for anything else."""
        method, path, headers, body = json.loads(text)
        lower = {str(name).lower(): str(value) for name, value in headers.items()}
        return cls(str(method), str(path), lower, base64.b64decode(body))


def refusal(request: Request, key: AccessKey, ask: Callable[[Request], Refusal]) -> Refusal:
    """AWS's error code and message for a request that must be refused, or None."""

    def secret_of(access_key_id: str) -> str | None:
        return key.secret if access_key_id == key.id else None

    judged = judge(request, secret_of)
    return ask(request) if judged == UNKNOWN else judged


def judge(request: Request, secret_of: Callable[[str], str | None]) -> Refusal:
    """Whether a request is signed with the secret of the key that it names."""
    sigv4 = importlib.import_module("ministack.core.sigv4")
    if not request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
        return UNSIGNED
    signature = sigv4.parse_header_signature(request.headers)
    if isinstance(signature, tuple):
        return str(signature[0]), str(signature[1])
    secret = secret_of(signature.access_key_id)
    if secret is None:
        return UNKNOWN
    failure = sigv4.request_time_failure(signature) or sigv4.header_signature_failure(
        signature, secret, request.method, request.path, {}, request.headers, request.body
    )
    if failure is None:
        return None
    code, message = failure
    return ("InvalidSignatureException" if code == "SignatureDoesNotMatch" else code), message


def by_session(evaluator: Any, account: str, text: bytes) -> Refusal:
    """What the emulator says of a request that was sent to ``VERIFY``."""
    try:
        request = Request.from_json(text)
    except (TypeError, ValueError, AttributeError):
        return UNKNOWN
    token = request.headers.get("x-amz-security-token", "")

    def secret_of(access_key_id: str) -> str | None:
        found = evaluator.resolve_credential(access_key_id, account, token)
        return getattr(found, "secret_access_key", None)

    return judge(request, secret_of)


def asking(endpoint: str) -> Callable[[Request], Refusal]:
    """Ask the emulator at an address."""
    # No proxy: it runs beside us.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(request: Request) -> Refusal:
        try:
            with opener.open(f"{endpoint}{VERIFY}", request.to_json(), WITHIN) as answer:
                said = json.loads(answer.read())
        except (OSError, ValueError):
            return UNKNOWN
        return (str(said[0]), str(said[1])) if said else None

    return ask


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    sent = {name[5:]: value for name, value in environ.items() if name.startswith("HTTP_")}
    sent |= {name: environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if name in environ}
    return {name.replace("_", "-").lower(): str(value) for name, value in sent.items()}
