"""Celery with smtplib: the usual way to send mail in the background from Python, with a broker that forgets nothing."""

import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import machine
from bench.contenders.told import PIPES, Told

VENV: Final = machine.BUILD / "venv"
REDIS: Final = machine.BUILD / "redis"
_LIBRARIES: Final = REDIS / "usr" / "lib"
_PROCESSES: Final = 4


@dataclass(frozen=True)
class CelerySmtplib:
    """Redis, a worker with four processes, and a process that queues."""

    name: str = "Celery with smtplib"
    rate: int = 300
    filler: int = 4_900

    @property
    def what(self) -> str:
        """How it is set up."""
        return (
            f"Redis with appendfsync always, acks_late, {_PROCESSES} prefork processes that each keep a connection; "
            "renders and composes each mail; one process queues"
        )

    def missing(self) -> str | None:
        """Why it cannot run here."""
        if not (VENV / "bin" / "celery").exists():
            return "celery is not installed"
        return None if _redis().exists() else "redis-server is not installed"

    @contextmanager
    def running(self, folder: Path, sink_port: int) -> Generator[Told]:
        """Broker, worker and producer."""
        port, cores = machine.free_port(), machine.cores().contender
        broker = [_redis(), "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly",
                  "yes", "--appendfsync", "always"]  # fmt: skip
        libraries = ":".join(str(path) for path in _LIBRARIES.glob("*-linux-*"))
        environment = {
            **os.environ,
            "BENCH_BROKER": f"redis://127.0.0.1:{port}/0",
            "BENCH_FILLER": str(self.filler),
            "BENCH_SINK": str(sink_port),
            "PYTHONPATH": str(machine.ROOT),
        }
        module = "bench.contenders.celery_app"
        worker = [VENV / "bin" / "celery", "-A", module, "worker", "-c", str(_PROCESSES), "-O", "fair", "-l", "ERROR",
                  "--without-gossip", "--without-mingle", "--without-heartbeat"]  # fmt: skip
        producer = [VENV / "bin" / "python", "-m", module]
        log = folder / "log"
        with ExitStack() as stack:
            redis = stack.enter_context(
                machine.process(machine.pinned(broker, cores), log, env={**os.environ, "LD_LIBRARY_PATH": libraries})
            )
            machine.wait_for(port, redis)
            options: dict[str, Any] = {"env": environment, "cwd": folder}
            working = stack.enter_context(machine.process(machine.pinned(worker, cores), log, **options))
            options |= PIPES
            telling = stack.enter_context(machine.process(machine.pinned(producer, cores), log, **options))
            yield Told(telling, [redis.pid, working.pid, telling.pid])


def _redis() -> Path:
    return REDIS / "usr" / "bin" / "redis-server"
