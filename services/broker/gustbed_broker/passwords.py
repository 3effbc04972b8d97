"""Passwords of broker users: random, one file per user, hashed as Mosquitto 2 wants them."""

import base64
import hashlib
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from gustbed_broker.files import write_private

_ITERATIONS = 101
"""Mosquitto's own default; the passwords are 256 random bits, so stretching adds nothing."""


def ensure_passwords(folder: Path, users: Iterable[str]) -> dict[str, str]:
    """Make what is missing of ``<user>.password`` (mode 600) and return all passwords."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    passwords = {}
    for user in users:
        path = folder / f"{user}.password"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(32) + "\n")
        passwords[user] = path.read_text(encoding="utf-8").strip()
    return passwords


def hash_password(password: str, salt: bytes) -> str:
    """PBKDF2-SHA512 in the form of Mosquitto's password file (``$7$``)."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    encoded = (base64.b64encode(part).decode("ascii") for part in (salt, digest))
    return f"$7${_ITERATIONS}$" + "$".join(encoded)


def password_file(passwords: Mapping[str, str]) -> str:
    """Mosquitto's password file."""
    return "".join(
        f"{user}:{hash_password(password, os.urandom(12))}\n"
        for user, password in passwords.items()
    )
