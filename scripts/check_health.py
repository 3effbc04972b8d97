"""A container's health check that also ends a service which hangs, so that Docker starts it anew.

    check_health.py http://127.0.0.1:8070/health     its answer says how it is
    check_health.py --heartbeat /tmp/twin            the newest of its *.health.json says it
    check_health.py --problem /tmp/provisioner       a file that is empty while all is well

It reads what a service says of itself and loads nothing of it: a look takes 60 to 70 ms of CPU,
where the twin's own check took 520 and the provisioner's 650 (one x86-64 core, all files cached).

Docker restarts what has ended, and lets be what is unhealthy. Unhealthy is no reason to end a
service: an edge without a cloud is, and works. One that hangs is: a process of it was stopped, its
address gives no answer although it did before, or its heartbeat has grown old.
"""

import contextlib
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

IN_IMAGE = Path("/opt/gustbed/check_health.py")
HANGS_AT = 6
"""Looks in a row that find it hanging before it is ended."""
ANSWER_WITHIN = 5.0
"""Seconds. Docker gives the whole look ten."""
FRESH = 15.0
"""Seconds. A heartbeat comes every second or so."""
BEAT_WITHIN = 60.0
NOTES = Path("/tmp/health")  # noqa: S108 - the container's own, empty after every start


def main(arguments: list[str]) -> int:
    """Look once. Returns 0 if healthy, else 1."""
    if arguments[0] == "--heartbeat":
        healthy, answered = beat(Path(arguments[1]))
    elif arguments[0] == "--problem":
        healthy, answered = problem(Path(arguments[1])), True
    else:
        healthy, answered = ask(arguments[0])
    hangs = is_stopped() or not answered
    NOTES.mkdir(exist_ok=True)
    if healthy and not hangs:
        note("worked", 1)
    # Before it has worked once it may still be starting: that is for Docker's start period.
    count = noted("hangs") + 1 if hangs and noted("worked") else 0
    note("hangs", count)
    if count >= HANGS_AT and is_in_image():
        print("it hangs: ending it, so that it is started again", flush=True)
        # Everything but this process and Docker's init, which ends when its child has.
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
    return 0 if healthy and not hangs else 1


def is_in_image() -> bool:
    """Whether the processes that one could end are this container's and no machine's."""
    return Path(__file__) == IN_IMAGE and os.getuid() != 0


def ask(url: str) -> tuple[bool, bool]:
    """Whether the address answers well, and whether it answers at all."""
    # No proxy: this is our own address, whatever the environment says of others.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=ANSWER_WITHIN) as answer:
            print(answer.read(1000).decode("utf-8", "replace"))
            return True, True
    except urllib.error.HTTPError as error:
        print(error.read(1000).decode("utf-8", "replace"))
        return False, True
    except OSError as error:
        print(f"{url}: {error}")
        return False, False


def is_stopped() -> bool:
    """Whether a process of this container was stopped, as SIGSTOP does."""
    return any(state(folder) == "T" for folder in Path("/proc").glob("[0-9]*"))


def state(process: Path) -> str:
    """The letter that the kernel gives a process's state; empty if it is gone."""
    try:
        # The name before it is in parentheses, and may hold anything.
        return (process / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def beat(folder: Path) -> tuple[bool, bool]:
    """Whether the newest heartbeat of a folder says online, and whether it is recent."""
    beats = sorted(folder.glob("*.health.json"), key=lambda path: path.stat().st_mtime)
    if not beats:
        print(f"{folder}: no heartbeat yet")
        return False, True
    said = beats[-1].read_text()
    print(said)
    age = time.time() - beats[-1].stat().st_mtime
    return bool(json.loads(said)["online"]) and age < FRESH, age < BEAT_WITHIN


def problem(path: Path) -> bool:
    """Whether the file is there and names no problem."""
    try:
        said = path.read_text()
    except OSError as error:
        said = f"{path}: {error.strerror}"
    print(said)
    return not said


def note(name: str, value: int) -> None:
    """Remember a number until the container starts anew."""
    (NOTES / name).write_text(str(value))


def noted(name: str) -> int:
    """The number that was remembered, or 0."""
    try:
        return int((NOTES / name).read_text())
    except (OSError, ValueError):
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
