"""AWS sessions and clients, and AWS's failures as errors that a person can remedy."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore import exceptions as aws
from botocore.config import Config

from gustbed_core.errors import GustbedError

PROMPT = Config(
    connect_timeout=3,
    read_timeout=8,
    retries={"mode": "standard", "total_max_attempts": 2},
)
"""For commands that a person waits for: a cloud that hangs is reported within 20 seconds."""
PATIENT = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 3},
)
"""For deploying, where one call may take long."""
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "ForbiddenException",
}
_BAD_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_SET_CREDENTIALS = (
    "set AWS_PROFILE (for containers GUSTBED_AWS_DIR, too: the folder with its config), or "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (for the local emulator: `source` "
    "targets/local.env)"
)
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_RENEW = (
    "log in again and hand the new ones over; docs/aws.md says how a container renews them "
    "by itself"
)
_FILES = {
    "AWS_CONFIG_FILE": "~/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
}


@dataclass(frozen=True)
class Session:
    """The standard AWS configuration, and the clients made from it so far: making one is slow."""

    boto: Any
    config: Config = PROMPT
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def region_name(self) -> str:
        """The region that everything is in."""
        return str(self.boto.region_name)

    def client(self, service: str) -> Any:
        """Return a client that fails soon rather than hangs."""
        if service not in self._clients:
            self._clients[service] = self.boto.client(service, config=self.config)
        return self._clients[service]


def open_session(config: Config = PROMPT) -> Session:
    """Open a session from the standard AWS configuration. Raises ``GustbedError``."""
    with readable_errors():
        if not os.environ.get("AWS_PROFILE"):
            # Compose can hand over an empty one, but not none; the SDK would look for its name.
            os.environ.pop("AWS_PROFILE", None)
        # boto3 reads only AWS_DEFAULT_REGION; every other SDK, and Lambda, says AWS_REGION.
        session = boto3.session.Session(region_name=os.environ.get("AWS_REGION") or None)
        if session.region_name is None:
            raise aws.NoRegionError
        if session.get_credentials() is None:
            raise aws.NoCredentialsError
        return Session(session, config)


def error_code(error: aws.ClientError) -> str:
    """AWS's code for what went wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn botocore's exceptions into ``GustbedError``; also usable as a decorator."""
    try:
        yield
    except aws.ClientError as error:
        raise _from_answer(error) from error
    except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.ProfileNotFound) as error:
        raise GustbedError(
            f"AWS credentials: {error}", _unreadable() or _SET_CREDENTIALS
        ) from error
    except aws.CredentialRetrievalError as error:
        raise GustbedError(f"AWS credentials: {' '.join(str(error).split())}", _RENEW) from error
    except aws.NoRegionError as error:
        raise GustbedError("AWS_REGION: not set", "set it, or a region in your profile") from error
    except (aws.ConnectionError, aws.HTTPClientError) as error:
        raise GustbedError(
            f"AWS is not reachable: {error}",
            "check AWS_ENDPOINT_URL, and that the emulator or the network is up",
        ) from error
    except aws.BotoCoreError as error:
        raise GustbedError(f"AWS: {error}", "check the AWS configuration") from error
    except ValueError as error:
        if "Invalid endpoint" not in str(error):
            raise
        raise GustbedError(
            f"AWS_ENDPOINT_URL: {error}", "give it as http://host:port, or unset it for AWS"
        ) from error


def _from_answer(error: aws.ClientError) -> GustbedError:
    code = error_code(error)
    message = error.response.get("Error", {}).get("Message", "")
    what = f"AWS {error.operation_name}: {code}: {message}".rstrip(": ")
    if code in _DENIED:
        return GustbedError(what, f"let your role (AWS_PROFILE) do {error.operation_name}")
    if code in _EXPIRED:
        return GustbedError(what, _RENEW)
    if code in _BAD_CREDENTIALS:
        return GustbedError(what, _SET_CREDENTIALS)
    return GustbedError(what)


def _unreadable() -> str | None:
    """The SDK takes a file that it may not read for one that is not there."""
    for variable, usual in _FILES.items():
        path = Path(os.environ.get(variable) or usual).expanduser()
        try:
            path.open("rb").close()
        except PermissionError:
            return f"{path} cannot be read by user {os.getuid()}: make it, or a copy, readable"
        except OSError:
            continue
    return None
