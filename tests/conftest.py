"""For every layer: order and sharing among workers, coverage, and loud words about skips."""

import io
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import coverage
import pytest
from playwright.sync_api import Browser
from xdist.scheduler import LoadScopeScheduling

from tests.support.chromium import chromium, chromium_path

pytest_plugins = ["tests.support.aws_contract_plugin"]

LAYERS = ("unit", "integration", "browser", "e2e")
PACKAGES = ("core", "broker", "twin", "edge", "cloud", "training", "dashboard", "cli")
NO_SKIP = "GUSTBED_NO_SKIP"


def pytest_configure() -> None:
    """One thread per numeric library: on busy cores their threads mostly wait for each other."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick layers first, so that a simple mistake shows in seconds.

    What needs Docker comes before all: it takes longest, and one worker does it alone.
    """
    items.sort(key=lambda item: (item.get_closest_marker("docker") is None, _layer(item.path)))


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Tests that share what is dear to start run on one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return shared_by(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    """What ``pytest -n`` asks for."""
    return Scheduling(config, log)


def shared_by(nodeid: str) -> str:
    """What a test shares with others: a Docker engine, wheels, a browser, a fleet, its module."""
    path, _, name = nodeid.partition("::")
    if path == "tests/integration/containers/test_arm64.py":
        return path
    if path.startswith("tests/integration/containers/") or "[docker" in name:
        return "docker"
    if path.startswith("tests/integration/packaging/"):
        return "wheels"
    if path.startswith("tests/browser/"):
        return "browser"
    if path.startswith("tests/e2e/"):
        return "fleet" if "[process" in name else "own fleet"
    return path


def _layer(path: Path) -> int:
    parts = path.relative_to(Path(__file__).parent).parts
    return LAYERS.index(parts[0]) if parts[0] in LAYERS else len(LAYERS)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was covered, and what was skipped and why: a partial run is no whole one."""
    if terminalreporter.config.getoption("cov_source", None):
        terminalreporter.section("coverage: lines that the tests' own processes ran")
        for line in _covered():
            terminalreporter.write_line(line)
    skipped = terminalreporter.getreports("skipped")
    if not skipped:
        return
    terminalreporter.section(f"SKIPPED: {len(skipped)} tests did not run here", yellow=True)
    reasons: dict[str, int] = {}
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason] = reasons.get(reason, 0) + 1
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count:4d} × {reason.removeprefix('Skipped: ')}")


def _covered() -> Iterator[str]:
    measured = coverage.Coverage()
    measured.load()
    for package in PACKAGES:
        with suppress(coverage.exceptions.NoDataError):
            percent = measured.report(include=[f"*/gustbed_{package}/*"], file=io.StringIO())
            yield f"{percent:5.1f} %  {package}"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With GUSTBED_NO_SKIP a skip fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get(NO_SKIP) and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for every layer: Playwright allows one at a time."""
    path = chromium_path()
    if path is None:
        pytest.skip("Chromium is missing, so NO page of the dashboard was looked at: install it")
    with chromium(path) as opened:
        yield opened
