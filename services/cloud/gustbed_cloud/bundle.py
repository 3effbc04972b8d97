"""Lambda functions as zip archives, the same bytes for the same sources."""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import gustbed_cloud
import gustbed_core
from gustbed_core.errors import GustbedError

FUNCTIONS = ("log_ingest", "lake_ingest", "alert", "model_packager", "job_creator")
_SHARED = {
    gustbed_core: (
        "__init__", "approvals", "archive", "errors", "jobs", "records", "registrations", "topics",
    ),
    gustbed_cloud: ("__init__", "approval_store"),
}  # fmt: skip
"""Modules that functions need of our packages; these stay within the standard library."""
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
    if not (folder / "handler.py").exists():
        raise GustbedError(f"{folder / 'handler.py'}: no such file", "set GUSTBED_CLOUD_DIR")
    found = [*sorted(folder.rglob("*.py")), *sorted(folder.parent.glob("*.py"))]
    files = {str(path.relative_to(folder.parent)): path for path in found}
    for package, modules in _SHARED.items():
        source = Path(str(package.__file__)).parent
        files |= {f"{source.name}/{name}.py": source / f"{name}.py" for name in modules}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, path.read_bytes())
    return Bundle(function, buffer.getvalue())
