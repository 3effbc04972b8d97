"""Checks of the product's AWS calls in every test, and a word at the run's end on what is left."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import aws_contract
from tests.support.aws_calls import NEVER_MADE, listed

STRICT = "GUSTBED_NO_SKIP"


def pytest_configure(config: pytest.Config) -> None:
    """Begin the run's notes, once for all workers: they find the file's name in the environment."""
    if not _is_worker(config):
        folder = tempfile.mkdtemp(prefix="gustbed-aws-calls-")
        os.environ[aws_contract.SEEN] = str(Path(folder) / "calls.txt")
    aws_contract.install()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the notes."""
    if not _is_worker(config):
        shutil.rmtree(Path(os.environ.pop(aws_contract.SEEN)).parent)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


@pytest.fixture(autouse=True)
def _no_call_that_aws_would_refuse() -> Iterator[None]:
    """Fail a test whose calls AWS would refuse, though the product has swallowed the error."""
    before = len(aws_contract.violations)
    yield
    assert not aws_contract.violations[before:]


def never_made() -> list[str]:
    """Listed calls that this run has not made with real values, those with a reason left out."""
    seen = aws_contract.seen(Path(os.environ[aws_contract.SEEN]))
    return sorted(listed() - set(NEVER_MADE) - {call for calls in seen.values() for call in calls})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many of the listed calls were made."""
    config = terminalreporter.config
    left = never_made()
    made = len(listed()) - len(NEVER_MADE) - len(left)
    if not made:
        return
    terminalreporter.section("AWS calls made with real values, by AWS' models")
    terminalreporter.write_line(f"{made} of {len(listed())}; with a reason: {len(NEVER_MADE)}")
    if left and _is_whole(config):
        terminalreporter.write_line(f"never made: {', '.join(left)}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A whole run that makes not every listed call fails where nothing may be skipped."""
    config = session.config
    if _is_worker(config) or not os.environ.get(STRICT) or not _is_whole(config):
        return
    if never_made() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _is_whole(config: pytest.Config) -> bool:
    """Whether the run leaves no test out."""
    narrowed = config.option.keyword or config.option.markexpr or config.option.deselect
    whole = list(config.args) == list(config.getini("testpaths"))
    return whole and not narrowed and not config.option.collectonly
