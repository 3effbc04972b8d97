"""Fetching a release: bounded in size and time, retried, never trusted."""

import hashlib
import http.client
import logging
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

from gustbed_core.package import PackageError
from gustbed_edge.models.orders import require_host

log = logging.getLogger(__name__)

ATTEMPTS = 3
BACKOFF_SECONDS = 1.0
SOCKET_SECONDS = 10.0
TOTAL_SECONDS = 300.0
CHUNK = 256 * 1024
_FINAL_CLIENT_ERRORS = range(400, 500)
_WORTH_RETRYING = frozenset({408, 425, 429})


class _UnreachableError(Exception):
    """Worth another attempt."""


class _WithinHosts(urllib.request.HTTPRedirectHandler):
    """Follows redirects to hosts that packages may come from, and nowhere else."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts = hosts

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        require_host(newurl, self._hosts)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(
    url: str,
    size: int,
    sha256: str,
    folder: Path,
    hosts: Iterable[str],
    *,
    wait: Callable[[float], object] = time.sleep,
) -> bytes:
    """Return the ``size`` bytes behind an HTTP(S) address whose SHA-256 is as given.

    Nothing but ``hosts`` is asked, by redirects neither. Raises ``PackageError`` with reason
    ``bad_url``, ``foreign_host``, ``download_failed``, ``wrong_size`` or ``wrong_digest``.
    """
    require_host(url, hosts)
    deadline = time.monotonic() + TOTAL_SECONDS
    failure = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            wait(BACKOFF_SECONDS * 2**attempt)
        try:
            return _attempt(url, size, sha256, folder, hosts, deadline)
        except _UnreachableError as error:
            failure = str(error)
            log.info("download attempt %d of %d failed: %s", attempt + 1, ATTEMPTS, failure)
    raise PackageError("download_failed", f"after {ATTEMPTS} attempts: {failure}")


def _attempt(
    url: str, size: int, sha256: str, folder: Path, hosts: Iterable[str], deadline: float
) -> bytes:
    opener = urllib.request.OpenerDirector()
    # Nothing but these: a redirect must not lead to file:// or ftp://.
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        _WithinHosts(hosts),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    with tempfile.TemporaryFile(dir=folder) as file:
        digest = hashlib.sha256()
        received = 0
        try:
            with opener.open(url, timeout=SOCKET_SECONDS) as answer:
                while chunk := answer.read(CHUNK):
                    received += len(chunk)
                    if received > size:
                        raise PackageError("wrong_size", f"more than the {size} bytes released")
                    if time.monotonic() > deadline:
                        raise PackageError("download_failed", f"not done in {TOTAL_SECONDS:.0f} s")
                    digest.update(chunk)
                    file.write(chunk)
                cut_off = bool(answer.length)
        except urllib.error.HTTPError as error:
            with error:
                reason = f"HTTP {error.code} {error.reason}"
            if error.code in _FINAL_CLIENT_ERRORS and error.code not in _WORTH_RETRYING:
                raise PackageError("download_failed", reason) from error
            raise _UnreachableError(reason) from error
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
            raise _UnreachableError(str(error)) from error
        except ConnectionError as error:
            raise _UnreachableError(str(error)) from error
        if cut_off:
            raise _UnreachableError(f"cut off after {received} of {size} bytes")
        if received < size:
            raise PackageError("wrong_size", f"{received} bytes, the release says {size}")
        if digest.hexdigest() != sha256:
            raise PackageError("wrong_digest", "the package is not the one that was signed")
        file.seek(0)
        return file.read()
