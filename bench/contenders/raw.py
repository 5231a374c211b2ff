"""The raw limit: smtp-source of Postfix, which does nothing but send, into the same mail server."""

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import machine, mail
from bench.race import PATIENCE_S, Offer

HEADERS = 136
"""About what smtp-source writes before the payload."""


@dataclass(frozen=True)
class SmtpSource:
    """smtp-source over kept connections."""

    sessions: int = 8
    name: str = "smtp-source (the raw limit)"
    rate: int = 8_000

    @property
    def what(self) -> str:
        """How it is set up."""
        return f"{self.sessions} sessions, connections kept; nothing is rendered, stored or recorded"

    def missing(self) -> str | None:
        """Why it cannot run here."""
        return None if path() else "smtp-source of Postfix is not installed"

    @contextmanager
    def running(self, folder: Path, sink_port: int) -> Generator["_Direct"]:
        """Nothing to start."""
        del folder
        yield _Direct(sink_port, self.sessions)


@dataclass(frozen=True)
class _Direct:
    port: int
    sessions: int
    roots: Sequence[int] = ()

    def offer(self, count: int) -> Offer:
        return smtp_source(self.port, count, self.sessions, mail.WIRE_BYTES - HEADERS)


def path() -> str | None:
    """Where smtp-source is."""
    return shutil.which("smtp-source", path=machine.PATH)


def smtp_source(port: int, count: int, sessions: int, payload: int) -> Offer:
    """Send so many mails over so many connections; `payload` is their size without headers."""
    command = [path() or "smtp-source", "-d", "-s", str(min(sessions, count)), "-l", str(payload), "-m", str(count)]
    command += ["-f", mail.SENDER, "-t", mail.RECIPIENT, f"127.0.0.1:{port}"]
    before, begin = _children_s(), time.monotonic()
    subprocess.run(
        machine.pinned(command, machine.cores().load),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_S,
        env={**os.environ, "MAIL_CONFIG": "/dev/null"},
    )
    return Offer(begin, time.monotonic(), _children_s() - before)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
