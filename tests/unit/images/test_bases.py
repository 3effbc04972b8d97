"""Digests of base images: recorded where a registry tells one, kept where none does."""

import re
import shutil
from pathlib import Path

import pytest

from images import bases
from tests.support.paths import ROOT

PYTHON, MOSQUITTO = "python:3.11-slim-bookworm", "eclipse-mosquitto:2"
DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that name base images."""
    for place in ("images/bases.lock", *bases.PLACES):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / place, tmp_path / place)
    return tmp_path


def named(checkout: Path) -> set[str]:
    """Every mention of a base image in the files that name them."""
    text = "".join((checkout / place).read_text() for place in bases.PLACES)
    return {
        found[0]
        for name in (PYTHON, MOSQUITTO)
        for found in re.finditer(bases.named_in_text(name), text)
    }


def test_every_file_names_the_recorded_digest() -> None:
    recorded = bases.recorded()
    assert set(recorded) == {PYTHON, MOSQUITTO}
    assert named(ROOT) == {bases.reference(*pair) for pair in recorded.items()}


def test_what_a_registry_answers_is_recorded_and_named_everywhere(checkout: Path) -> None:
    for digest in (DIGEST, OTHER):
        said = bases.renew(checkout, {PYTHON: digest, MOSQUITTO: DIGEST}.__getitem__)
        assert digest in said[PYTHON]
        assert named(checkout) == {f"{PYTHON}@{digest}", f"{MOSQUITTO}@{DIGEST}"}
        assert bases.recorded(checkout / "images/bases.lock")[PYTHON] == digest


def test_a_registry_that_does_not_answer_changes_nothing(checkout: Path) -> None:
    before = {place: (checkout / place).read_text() for place in bases.PLACES}
    said = bases.renew(checkout, lambda _name: "")
    assert {place: (checkout / place).read_text() for place in bases.PLACES} == before
    assert all("no registry answers" in words for words in said.values())
    bases.renew(checkout, lambda _name: DIGEST)
    bases.renew(checkout, lambda _name: "")
    assert bases.recorded(checkout / "images/bases.lock")[PYTHON] == DIGEST
