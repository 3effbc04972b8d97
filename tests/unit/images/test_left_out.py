"""What images do without is something that their locks would bring."""

from pathlib import Path

import pytest

from images.catalogue import IMAGES
from tests.support.locks import pins
from tests.support.paths import ROOT

LINES = [
    tuple(line.split(maxsplit=3))
    for line in (ROOT / "images/left-out.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line[0]}-{line[1]}")
def test_a_line_names_an_image_what_its_lock_brings_and_a_reason(line: tuple[str, ...]) -> None:
    image, what, declarer, reason = line
    locks = [i.name for i in IMAGES] if image == "*" else [image]
    brought = declarer.partition("[")[0]
    assert any(brought in pins(lock) or brought == "torch" for lock in locks)
    if "/" in what:
        assert what.partition("/")[0] == declarer
    else:
        assert all(what in pins(lock) for lock in locks)
    assert reason


def test_the_dockerfile_and_the_lists_name_the_same_images() -> None:
    text = (ROOT / "images/Dockerfile").read_text(encoding="utf-8")
    targets = {line.split()[-1] for line in text.splitlines() if line.startswith("FROM")}
    assert {image.name for image in IMAGES} <= targets
    assert {line[0] for line in LINES} - {"*"} <= targets
    assert not [path for path in Path(ROOT).rglob("Dockerfile*") if path.parent != ROOT / "images"]
