"""Another machine, on this one: with an address, files, an engine and an ssh server of its own.

Root, Debian and a few packages are needed. Its files are this machine's, seen through an overlay,
but for the working copies and whatever runs here: no engine, no registry, no checkout.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.ports import wait_until

BOOT = r"""
set -eu
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=/,upperdir=$D/upper,workdir=$D/work" "$D/root"
cd "$D/root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
for hidden in $HIDDEN; do [ ! -d ".$hidden" ] || mount -t tmpfs tmpfs ".$hidden"; done
mkdir -p var/lib/docker run/sshd root/.ssh tmp/log
# In memory, which is gone with the machine: some GB of small files take a minute to delete.
mount -t tmpfs -o size=8g tmpfs var/lib/docker
hostname garden
install -m 600 "$D/key.pub" root/.ssh/authorized_keys
chown 0:0 root root/.ssh && chmod 700 root root/.ssh
mkdir -p tmp/before
# Not chroot alone: whoever enters a container's namespace of mounts would come out at the old root.
pivot_root . tmp/before
exec chroot . /bin/sh -c '
  umount -l /tmp/before
  ssh-keygen -q -A
  setsid dockerd --bip 10.89.0.1/24 >/tmp/log/dockerd 2>&1 </dev/null &
  exec /usr/sbin/sshd -D -e -o UsePAM=no -o PermitRootLogin=prohibit-password \
    -o PidFile=none >/tmp/log/sshd 2>&1'
"""


@dataclass(frozen=True)
class RemoteMachine:
    """A machine that ssh reaches. ``here`` is this machine's address as that one sees it."""

    folder: Path
    address: str
    here: str

    @property
    def options(self) -> str:
        """What ssh needs to log in: GUSTBED_SSH_OPTIONS."""
        known = self.folder / "known_hosts"
        return (
            f"-i {self.folder / 'key'} -o IdentitiesOnly=yes "
            f"-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={known}"
        )

    def run(self, command: str, *, check: bool = True, timeout: float = 120) -> str:
        """Run a command there, as root. Returns what it printed."""
        done = subprocess.run(
            ["ssh", *self.options.split(), "-o", "BatchMode=yes", f"root@{self.address}", command],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stdout} {done.stderr}"
        return done.stdout


@contextmanager
def remote_machine(folder: Path) -> Iterator[RemoteMachine]:
    """Start a machine, and leave nothing of it."""
    name = f"gb{os.getpid()}"
    subnet = f"10.88.{os.getpid() % 250}"
    machine = RemoteMachine(folder, f"{subnet}.2", f"{subnet}.1")
    for part in ("upper", "work", "root"):
        (folder / part).mkdir(parents=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True
    )
    _ip("netns", "add", name)
    process: subprocess.Popen[bytes] | None = None
    try:
        _ip("link", "add", f"{name}h", "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("addr", "add", f"{machine.here}/24", "dev", f"{name}h")
        _ip("link", "set", f"{name}h", "up")
        for words in (
            "link set lo up",
            f"addr add {machine.address}/24 dev eth0",
            "link set eth0 up",
        ):
            _ip("-n", name, *words.split())
        hidden = " ".join(["/work", "/opt", "/mnt", "/root/.docker", str(ROOT)])
        own = ("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child")
        process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{name}", *own, "sh", "-c", BOOT],
            env={"PATH": os.environ["PATH"], "D": str(folder), "HIDDEN": hidden},
            stdout=subprocess.DEVNULL,
            stderr=(folder / "boot.log").open("wb"),
        )  # fmt: skip
        wait_until(lambda: _answers(machine, process), "the other machine's engine answers", 60)
        yield machine
    finally:
        if process is not None:
            # First of its process namespace: everything in it goes with it, its mounts too.
            process.send_signal(signal.SIGKILL)
            process.wait()
        with suppress(subprocess.CalledProcessError):
            _ip("netns", "del", name)
        _delete(folder)


def _answers(machine: RemoteMachine, process: subprocess.Popen[bytes]) -> bool:
    log = machine.folder / "boot.log"
    assert process.poll() is None, log.read_text()
    try:
        return "ok" in machine.run("docker version >/dev/null && echo ok", check=False, timeout=30)
    except subprocess.TimeoutExpired:
        return False


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _delete(folder: Path) -> None:
    """Its engine's last mounts may go a moment after its processes."""

    def gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    wait_until(gone, f"{folder} can be deleted", 30)
