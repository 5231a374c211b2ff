"""What this user may not read or write is named, and starting again, which does not help, is not asked for."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.journeys.machine import DEADLINE_S, RINGPOST, Machine

pytestmark = pytest.mark.timeout(180)

AS_ANYBODY = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
"""Root without its capabilities is kept out as everybody else is."""


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        ("data", 0o000),
        ("data", 0o500),
        ("data/ringpost.db", 0o000),
        ("data/ringpost.db", 0o400),
        ("data/ringpost.db-shm", 0o000),
        ("data/keys", 0o000),
    ],
)
@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["worker"], ["tenant", "list"]], ids=" ".join)
def test_what_may_not_be_read_or_written_is_named(machine: Machine, path: str, mode: int, command: list[str]) -> None:
    machine.output("migrate")
    kept = machine.folder / path
    kept.touch()
    kept.chmod(mode)

    done = run_as_anybody(machine, *command)
    kept.chmod(0o700)

    assert done.returncode == 78, done.stderr
    named = done.stderr.splitlines()[-1].removesuffix(": Permission denied").removeprefix("ringpost: ")
    assert Path(named).is_relative_to(kept)
    assert "Traceback" not in done.stderr


def run_as_anybody(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*AS_ANYBODY, *RINGPOST, *arguments],
        cwd=machine.folder, env=machine.env, text=True, capture_output=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
