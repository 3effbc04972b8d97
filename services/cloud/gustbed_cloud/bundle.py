"""Lambda functions as zip archives, the same bytes for the same sources."""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import gustbed_core
from gustbed_core.errors import GustbedError

FUNCTIONS = ("log_ingest", "lake_ingest", "alert", "model_packager", "job_creator")
_CORE_MODULES = ("__init__", "errors", "topics", "jobs")
"""What functions need of it; these stay within the standard library."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Bundle:
    """A function's archive and its place in the code bucket."""

    function: str
    data: bytes

    @property
    def key(self) -> str:
        """Named by content: an unchanged function is an unchanged deployment."""
        return f"functions/{self.function}/{hashlib.sha256(self.data).hexdigest()[:32]}.zip"

    @property
    def parameter(self) -> str:
        """The stack's parameter that takes the key."""
        return "".join(word.capitalize() for word in self.function.split("_")) + "Key"


def bundle(function: str, cloud_dir: Path) -> Bundle:
    """Zip one function with what all share. Raises ``GustbedError`` naming a missing file."""
    folder = cloud_dir / "functions" / function
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*.py"))}
    if "handler.py" not in files:
        raise GustbedError(f"{folder / 'handler.py'}: no such file", "set GUSTBED_CLOUD_DIR")
    files |= {path.name: path for path in sorted(folder.parent.glob("*.py"))}
    core = Path(gustbed_core.__file__).parent
    files |= {f"gustbed_core/{name}.py": core / f"{name}.py" for name in _CORE_MODULES}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, path.read_bytes())
    return Bundle(function, buffer.getvalue())
