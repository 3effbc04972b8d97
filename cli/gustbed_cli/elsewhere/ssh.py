"""Another machine, through the system's own ``ssh``: its configuration and keys hold here, too."""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gustbed_core.errors import GustbedError

PERSIST = "120"
"""Seconds that a connection outlives its last command: the next one does not log in again."""
FAILED_TO_CONNECT = 255


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that commands run on. ``destination`` is ssh's own word for it."""

    destination: str
    options: tuple[str, ...]

    def run(
        self,
        command: Sequence[str],
        *,
        root: bool = False,
        given: bytes | None = None,
        show: bool = False,
        timeout: float = 600.0,
    ) -> str:
        """Run a command and return what it printed. ``show`` passes its stderr on.

        Raises ``GustbedError`` with its last line on stderr.
        """
        words = ["sudo", "-n", *command] if root else list(command)
        # As root already, there may be no sudo.
        line = shlex.join(words)
        if root:
            line = f'if [ "$(id -u)" = 0 ]; then {shlex.join(command)}; else {line}; fi'
        try:
            done = subprocess.run(
                ["ssh", *self.options, self.destination, "--", line],
                input=given if given is not None else b"",
                stdout=subprocess.PIPE,
                stderr=None if show else subprocess.PIPE,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise GustbedError(
                f"{self.destination}: {command[0]} took more than {timeout:.0f} s", "try again"
            ) from error
        if done.returncode == 0:
            return done.stdout.decode("utf-8", "replace")
        said = (done.stderr or b"").decode("utf-8", "replace").strip().splitlines()
        last = said[-1] if said else "see the lines above"
        if done.returncode == FAILED_TO_CONNECT:
            raise GustbedError(
                f"ssh {self.destination}: {last}", f"make `ssh {self.destination}` work by a key"
            )
        raise GustbedError(f"{self.destination}: {command[0]} failed", last)

    def put(self, folder: Path, names: Sequence[str], target: str) -> None:
        """Copy files of a folder into a folder there, as they are. Raises ``GustbedError``."""
        if not names:
            return
        with tempfile.TemporaryFile() as packed:
            subprocess.run(
                ["tar", "--create", "--directory", str(folder), *names], stdout=packed, check=True
            )
            packed.seek(0)
            self._unpack(packed.fileno(), target)

    def _unpack(self, packed: int, target: str) -> None:
        line = f"mkdir -p {shlex.quote(target)} && tar --extract --directory {shlex.quote(target)}"
        done = subprocess.run(
            ["ssh", *self.options, self.destination, "--", line],
            stdin=packed,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise GustbedError(f"{self.destination}:{target}: {last}", "is there room? See `df -h`")


@contextmanager
def connected(address: str, options: Sequence[str] = ()) -> Iterator[Machine]:
    """A machine by ``ssh://user@host[:port]`` or ssh's own ``user@host``, over one connection.

    Raises ``GustbedError`` if it cannot be reached.
    """
    destination, port = _parse(address)
    for tool in ("ssh", "docker"):
        if shutil.which(tool) is None:
            raise GustbedError(f"{tool} is not installed here", f"install it: {address} needs it")
    with tempfile.TemporaryDirectory(prefix="gustbed-ssh-") as folder:
        shared = (
            *("-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15"),
            *("-o", "ControlMaster=auto", "-o", f"ControlPath={folder}/%C"),
            *("-o", f"ControlPersist={PERSIST}"),
            *(("-p", port) if port else ()),
            *options,
        )
        machine = Machine(destination, shared)
        machine.run(["true"], timeout=60)
        try:
            yield machine
        finally:
            with suppress(OSError):
                subprocess.run(
                    ["ssh", *shared, "-O", "exit", destination], capture_output=True, check=False
                )


def _parse(address: str) -> tuple[str, str]:
    if "://" not in address:
        destination, port = address, ""
    else:
        parts = urlsplit(address)
        try:
            found = parts.port
        except ValueError as error:
            raise GustbedError(address, str(error)) from error
        if parts.scheme != "ssh" or not parts.hostname or parts.path.strip("/"):
            raise GustbedError(f"{address!r} is no machine", "use ssh://user@host, or user@host")
        user = f"{parts.username}@" if parts.username else ""
        destination, port = f"{user}{parts.hostname}", str(found or "")
    # ssh would take it for an option.
    if not destination or destination.startswith("-") or any(c.isspace() for c in destination):
        raise GustbedError(f"{address!r} is no machine", "use ssh://user@host, or user@host")
    return destination, port
