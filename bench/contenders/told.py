"""A process that is told on its standard input how many mails to send, and answers with a line once it has."""

import json
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.race import PATIENCE_S, Offer

PIPES: Final[dict[str, Any]] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
"""What such a process is started with."""


@dataclass(frozen=True)
class Told:
    """What is told, and the processes that belong to the contender."""

    process: "subprocess.Popen[bytes]"
    roots: Sequence[int]

    def offer(self, count: int) -> Offer:
        """Tell it, and wait for its line. Raises RuntimeError when it ends or takes too long."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        timer = threading.Timer(PATIENCE_S, self.process.kill)
        timer.start()
        try:
            begin = time.monotonic()
            stdin.write(json.dumps({"count": count}).encode() + b"\n")
            stdin.flush()
            line = stdout.readline()
            end = time.monotonic()
        finally:
            timer.cancel()
        if line.strip() != b"done":
            raise RuntimeError("it ended, or was not done in time")
        return Offer(begin, end)
