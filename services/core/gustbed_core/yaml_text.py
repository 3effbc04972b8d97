"""YAML into checked structures: unknown and repeated keys are errors that name line or key."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from gustbed_core.errors import GustbedError

T = TypeVar("T")


def read_yaml(path: Path, form: type[T], what: str, remedy: str) -> T:
    """Read a file of ``what``. Raises ``GustbedError`` naming file and line or key."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", f"name {what}") from error
    return parse_yaml(data, form, str(path), remedy)


def parse_yaml(data: bytes, form: type[T], where: str, remedy: str) -> T:
    """Parse and check; ``where`` names the source in errors."""
    try:
        parsed = yaml.load(data.decode("utf-8"), Loader=_Strict)  # noqa: S506 - it is a SafeLoader
    except UnicodeDecodeError as error:
        raise GustbedError(f"{where}: not text: {error.reason}", "give a YAML file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise GustbedError(f"{where}:{line} {problem}", "mend the YAML") from error
    return convert(parsed, form, where, remedy)


def convert(data: object, form: type[T], where: str, remedy: str) -> T:
    """Check parsed data against a structure. Raises ``GustbedError`` naming the key."""
    try:
        return msgspec.convert(data, form)
    except msgspec.ValidationError as error:
        text, _, at = " ".join(str(error).split()).partition(" - at `$")
        key = at.strip(".`")
        raise GustbedError(
            f"{where}: {key}: {text}" if key else f"{where}: {text}", remedy
        ) from error


class _Strict(yaml.SafeLoader):
    """Refuses what YAML would let the last one win: a key that is there twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} is there twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
