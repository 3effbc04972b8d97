"""Files that nobody else may read, replaced whole or not at all."""

from pathlib import Path


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file of mode 600. Raises ``OSError``."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    temporary.replace(path)
