"""Tells at the end of a run what this machine could not test, so that nobody takes a green line for more than it is."""

from collections import Counter
from typing import NoReturn

import pytest

MARK = "LEFT OUT, "
"""Reasons to skip that begin like this are told loudly."""


def left_out(what: str) -> NoReturn:
    """Skip the test, and say so at the end of the run."""
    pytest.skip(MARK + what)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """pytest's hook."""
    counted: Counter[str] = Counter()
    for report in terminalreporter.getreports("skipped"):
        if isinstance(report, pytest.TestReport) and isinstance(report.longrepr, tuple):
            before, mark, what = report.longrepr[2].partition(MARK)
            if mark and before in ("", "Skipped: "):
                counted[what] += 1
    if counted:
        terminalreporter.section("NOT TESTED ON THIS MACHINE", red=True, bold=True)
        for what, tests in sorted(counted.items()):
            terminalreporter.write_line(f"{tests} tests left out: {what}", red=True, bold=True)
