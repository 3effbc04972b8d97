"""Whether this command line runs from a checkout of the repository or was installed from wheels."""

from pathlib import Path

from gustbed_core.errors import GustbedError

CLONE = "clone the repository and use its ./gustbed"


def find_checkout() -> Path | None:
    """The root of the checkout that this code lies in, or None if it was installed."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "scripts" / "setup").is_file() else None


def base_folder() -> Path:
    """Where the fleet's state lies by default: the checkout, else the current folder."""
    return find_checkout() or Path.cwd()


def require_checkout(what: str) -> Path:
    """The checkout's root. Raises ``GustbedError`` naming ``what`` if there is none."""
    root = find_checkout()
    if root is None:
        raise GustbedError(f"{what} needs a checkout of the repository", CLONE)
    return root
