"""django-post_office: mail queued in the database of a Django application, and sent from there."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine
from bench.contenders.celery_smtplib import VENV
from bench.contenders.told import PIPES, Told


@dataclass(frozen=True)
class PostOffice:
    """A process that queues and one that sends, on one SQLite file."""

    in_bulk: bool
    rate: int = 300
    filler: int = 4_770

    @property
    def name(self) -> str:
        """For tables."""
        return "django-post_office, lists of 20" if self.in_bulk else "django-post_office"

    @property
    def what(self) -> str:
        """How it is set up."""
        call = "send_many with 20 mails" if self.in_bulk else "send"
        return f"SQLite with synchronous=FULL, {call}, a process that sends with 8 threads; renders each mail"

    def missing(self) -> str | None:
        """Why it cannot run here."""
        return (
            None if next(VENV.glob("lib/*/site-packages/post_office"), None) else "django-post_office is not installed"
        )

    @contextmanager
    def running(self, folder: Path, sink_port: int) -> Generator[Told]:
        """Both processes."""
        environment = {
            **os.environ,
            "BENCH_DATABASE": str(folder / "office.db"),
            "BENCH_FILLER": str(self.filler),
            "BENCH_SINK": str(sink_port),
            "PYTHONPATH": str(machine.ROOT),
        }
        options: dict[str, Any] = {"env": environment, "cwd": folder}
        command = [VENV / "bin" / "python", "-m", "bench.contenders.post_office_app"]
        cores, log = machine.cores().contender, folder / "log"
        queue = machine.pinned([*command, "bulk" if self.in_bulk else "queue"], cores)
        with machine.process(queue, log, **options, **PIPES) as queueing:
            assert queueing.stdout is not None
            if queueing.stdout.readline().strip() != b"ready":
                raise RuntimeError(log.read_text()[-300:])
            with machine.process(machine.pinned([*command, "send"], cores), log, **options) as sending:
                yield Told(queueing, [queueing.pid, sending.pid])
