"""For every layer: order and sharing among workers, coverage, and loud words about skips."""

import io
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import coverage
import pytest
from playwright.sync_api import Browser

from tests.support.chromium import chromium, chromium_path

LAYERS = ("unit", "integration", "browser", "e2e")
PACKAGES = ("core", "broker", "twin", "edge", "cloud", "training", "dashboard", "cli")
NO_SKIP = "GUSTBED_NO_SKIP"


def pytest_configure() -> None:
    """One thread per numeric library: on busy cores their threads mostly wait for each other."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep on one worker what shares."""
    item.add_marker(pytest.mark.xdist_group(_group(item)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick layers first, so that a simple mistake shows in seconds.

    What needs Docker comes before all: it takes longest, and one worker does it alone.
    """
    items.sort(key=lambda item: (item.get_closest_marker("docker") is None, _layer(item.path)))


def _group(item: pytest.Item) -> str:
    """Which tests share fixtures that are dear, and so run on one worker."""
    if item.get_closest_marker("docker"):
        return "docker"
    fixtures = getattr(item, "fixturenames", ())
    for shared in ("own_fleet", "fleet", "browser"):
        if shared in fixtures:
            return shared
    return str(item.path.relative_to(Path(__file__).parent))


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
