"""For every layer: the order of layers, and loud words about what was skipped."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.chromium import chromium, chromium_path

LAYERS = ("unit", "integration", "browser", "e2e")
NO_SKIP = "GUSTBED_NO_SKIP"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick layers first, so that a simple mistake shows in seconds."""
    items.sort(key=lambda item: _layer(item.path))


def _layer(path: Path) -> int:
    parts = path.relative_to(Path(__file__).parent).parts
    return LAYERS.index(parts[0]) if parts[0] in LAYERS else len(LAYERS)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was skipped and why, so that nobody takes a partial run for a whole one."""
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
