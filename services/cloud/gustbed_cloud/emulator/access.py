"""The local cloud's one access key: made once per home, known to its clients and to nobody else.

``python access.py FILE`` makes it ahead of time. The file is an AWS shared credentials file: SDKs
read it by ``AWS_SHARED_CREDENTIALS_FILE``.
"""

import configparser
import contextlib
import os
import secrets
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "GUSTBED_EMULATOR_CREDENTIALS"
PRIVATE = 0o077
"""What others may do with the local cloud's files: nothing."""


class AccessError(Exception):
    """No key can be read or made, in one line."""


@dataclass(frozen=True)
class AccessKey:
    """What a client signs its requests with."""

    id: str
    secret: str


def access_key(env: Mapping[str, str], data_dir: Path) -> AccessKey:
    """The key that requests must be signed with.

    From the standard variables if both are set, else from the file that ``VARIABLE`` names (beside
    the data folder if none), which is made if it is not there. Raises ``AccessError``.
    """
    if env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
        return AccessKey(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
    path = Path(env.get(VARIABLE) or data_dir.parent / "aws" / "credentials")
    return ensure_key(path)


def ensure_key(path: Path) -> AccessKey:
    """Read the key of a file, which is made first if it is not there. Raises ``AccessError``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _make(path)
        return _read(path)
    except OSError as error:
        raise AccessError(
            f"{path}: {error.strerror}: set {VARIABLE} to a file that can be made there"
        ) from error


def make_private(folder: Path) -> None:
    """Take from others what they may do with a folder's files, and from files made from now on.

    Raises ``OSError``.
    """
    os.umask(PRIVATE)
    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder, *folder.rglob("*")):
        # Files come and go; links are followed by nobody but us.
        with contextlib.suppress(FileNotFoundError):
            mode = path.lstat().st_mode & 0o777
            if mode & PRIVATE and not path.is_symlink():
                path.chmod(mode & ~PRIVATE)


def _make(path: Path) -> None:
    text = (
        "# Of the local cloud; made by chance for this home alone.\n[default]\n"
        f"aws_access_key_id = GBLOCAL{secrets.token_hex(6).upper()}\n"
        f"aws_secret_access_key = {secrets.token_urlsafe(30)}\n"
    )
    # A name of its own: two containers on one volume may have the same process id.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    fresh = Path(name)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    try:
        # Emulator and registry may start at once: whoever comes second reads the first one's.
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def _read(path: Path) -> AccessKey:
    path.chmod(0o600)
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        section = parser["default"]
        return AccessKey(section["aws_access_key_id"], section["aws_secret_access_key"])
    except (configparser.Error, KeyError) as error:
        raise AccessError(
            f"{path}: holds no [default] key: delete it, and a new one is made"
        ) from error


if __name__ == "__main__":
    try:
        ensure_key(Path(sys.argv[1]))
    except AccessError as failure:
        sys.exit(f"gustbed-emulator: {failure}")
