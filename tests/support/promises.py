"""Promises: what docs/promises.md defines, and which tests carry their codes."""

import ast
import re
from collections.abc import Iterator

from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "promises.md"
TESTS = ROOT / "tests"
PROMISE = re.compile(r"^- \*\*(?P<code>[A-Z]\d+)\*\* .+\n  \*(?P<shown>.+)\*$", re.MULTILINE)
NOT_YET = "Not yet shown."


def defined() -> list[tuple[str, str]]:
    """Code of each promise, and what the page says of its tests."""
    text = PAGE.read_text(encoding="utf-8")
    return [(m["code"], m["shown"]) for m in PROMISE.finditer(text)]


def carried() -> dict[str, set[str]]:
    """By code, the folders (relative to the project) of the tests that carry it."""
    found: dict[str, set[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        folder = path.parent.relative_to(ROOT).as_posix()
        for code in _codes(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(code, set()).add(folder)
    return found


def shown_in(folders: set[str]) -> str:
    """What the page says of a promise with tests in these folders."""
    return f"Shown in {', '.join(f'`{f}`' for f in sorted(folders))}." if folders else NOT_YET


def _codes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.promise":
            yield from (str(ast.literal_eval(argument)) for argument in node.args)
