"""A machine with an empty data folder, on which the command `ringpost` is run in processes of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RINGPOST = [sys.executable, "-m", "ringpost"]
DEADLINE_S = 60


class Machine:
    """A machine with an empty data folder, and nothing of ours in its environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("RINGPOST_")}
        self.env |= {"RINGPOST_DATA_DIR": str(folder / "data"), "HOME": str(folder), "COLUMNS": "200"}

    def run(self, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*RINGPOST, *arguments],
            cwd=self.folder,
            env=self.env | env,
            input=stdin,
            text=True,
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def output(self, *arguments: str, stdin: str = "", **env: str) -> str:
        """What a command that has to work wrote to stdout."""
        done = self.run(*arguments, stdin=stdin, **env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def running(self, *arguments: str, until: str, **env: str) -> Generator["Running"]:
        """Start a command, and wait until its log has a line that matches."""
        log = self.folder / f"{arguments[0]}-{time.monotonic_ns()}.log"
        with log.open("wb") as stderr:
            process = subprocess.Popen([*RINGPOST, *arguments], cwd=self.folder, env=self.env | env, stderr=stderr)
        try:
            yield Running(process, log, wait_for_line(process, log, until))
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def serving(self, **env: str) -> Any:
        """`ringpost serve` on a free port; `match[1]` is its address."""
        return self.running("serve", "--port", "0", until=r"listens on (http://[\d.:]+)", **env)


class Running:
    """A command that runs."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, match: re.Match[str]) -> None:
        self.process = process
        self.log = log
        self.match = match

    def stop(self, number: signal.Signals) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


def wait_for_line(process: subprocess.Popen[bytes], log: Path, pattern: str) -> re.Match[str]:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if found := re.search(pattern, log.read_text()):
            return found
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)
    raise AssertionError(f"{pattern} did not appear in: {log.read_text()}")
