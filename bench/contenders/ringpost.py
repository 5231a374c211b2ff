"""Ringpost: whole processes (API and worker) with everything on that production has."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from bench import machine, mail, postgresql
from bench.race import PATIENCE_S, Offer

COMMAND: Final = (sys.executable, "-m", "ringpost")
TOKEN: Final = "rp_key_" + "b2" * 32  # made up
CONNECTIONS: Final = 64
_DOMAIN: Final = "bench.example.com"
_FILLER: Final = 4_712


@dataclass(frozen=True)
class Ringpost:
    """One set-up of Ringpost."""

    per_request: int
    processes: int = 1
    database: Literal["SQLite", "PostgreSQL"] = "SQLite"
    rate: int = 1_500

    @property
    def name(self) -> str:
        """For tables."""
        how = "one event per request" if self.per_request == 1 else f"lists of {self.per_request}"
        where = self.database if self.processes == 1 else f"{self.processes} processes on one {self.database} file"
        return f"Ringpost, {how}, {where}"

    @property
    def what(self) -> str:
        """How it is set up."""
        sync = "synchronous=FULL" if self.database == "SQLite" else "synchronous_commit on, defaults of PostgreSQL 18"
        return (
            f"{'one process' if self.processes == 1 else f'{self.processes} processes'} with API and worker, {sync}, "
            f"{CONNECTIONS} connections; checks, renders, seals and stores each mail"
        )

    def missing(self) -> str | None:
        """Why it cannot run here."""
        return postgresql.missing() if self.database == "PostgreSQL" else None

    @contextmanager
    def running(self, folder: Path, sink_port: int) -> Generator["Served"]:
        """The database, the processes, and a tenant whose mail server is at this port."""
        with ExitStack() as stack:
            environment, roots = dict[str, str](), list[int]()
            if self.database == "PostgreSQL":
                server = stack.enter_context(postgresql.running(folder))
                environment["RINGPOST_DATABASE_URL"] = server.url
                roots.append(server.pid)
            served = Served(folder, self.per_request, environment, roots)
            for _ in range(self.processes):
                stack.enter_context(served.one_more())
            served.set_up(sink_port)
            yield served


@dataclass
class Served:
    """Running processes of Ringpost, and the tenant that mail is sent for."""

    folder: Path
    per_request: int
    environment: dict[str, str]
    roots: list[int] = field(default_factory=list[int])
    ports: list[int] = field(default_factory=list[int])
    token: str = ""

    @contextmanager
    def one_more(self, *, workers: int = 1) -> Generator["subprocess.Popen[bytes]"]:
        """Start one more process on the same data."""
        port = machine.free_port()
        command = [*COMMAND, "serve", "--port", str(port), "--workers", str(workers)]
        pinned = machine.pinned(command, machine.cores().contender)
        with machine.process(pinned, self.folder / "log", env=self._environment(), cwd=self.folder) as started:
            machine.wait_for(port, started)
            self.roots.append(started.pid)
            self.ports.append(port)
            yield started
            self.roots.remove(started.pid)
            self.ports.remove(port)

    def set_up(self, sink_port: int) -> None:
        """A tenant, its mail server, its template, and a token for its events."""
        self.call("/tenants", {"name": "Bench", "domain": _DOMAIN})
        create = [*COMMAND, "token", "create", "--tenant", _DOMAIN]
        done = subprocess.run(
            create, env=self._environment(), cwd=self.folder, check=True, capture_output=True, text=True
        )
        self.token = done.stdout.strip()
        settings = {
            "type": "SMTP",
            "server": "127.0.0.1",
            "port": sink_port,
            "username": mail.SENDER,
            "auth": "DISABLE",
            "enable_tls_ssl": False,
            "recipients": mail.RECIPIENT,
            "notify_queue_sla_breached": True,
        }
        self.call("/tenant/notification", settings, self.token)
        bodies = mail.bodies(_FILLER)
        template = {
            "name": "QUEUE_SLA",
            "from": "Bench",
            "subject": mail.SUBJECT,
            "body": bodies.html,
            "text_body": bodies.text,
        }
        self.call("/custom_email_templates", template, self.token)

    def offer(self, count: int) -> Offer:
        """Post so many events, as `bench/load.py` does."""
        arguments = [self.token, str(count), str(self.per_request), str(CONNECTIONS), *map(str, self.ports)]
        command = machine.pinned([sys.executable, "-m", "bench.load", *arguments], machine.cores().load)
        done = subprocess.run(
            command, cwd=machine.ROOT, check=True, capture_output=True, text=True, timeout=PATIENCE_S + 60
        )
        return Offer(**json.loads(done.stdout))

    def call(self, path: str, body: object = None, token: str = TOKEN) -> Any:
        """One request outside of any measurement."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.ports[0]}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as answer:
            content = answer.read()
        return json.loads(content) if content[:1] in b"{[" and content else content.decode()

    def _environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("RINGPOST_")}
        return {
            **ours,
            "RINGPOST_DATA_DIR": str(self.folder / "data"),
            "RINGPOST_ADMIN_TOKEN": TOKEN,
            "RINGPOST_ALLOWED_MAIL_NETWORKS": "127.0.0.0/8",
            "RINGPOST_EHLO_NAME": _DOMAIN,
            "RINGPOST_LOG_LEVEL": "warning",
            **self.environment,
        }


VARIANTS: Final[Sequence[Ringpost]] = (
    Ringpost(1),
    Ringpost(20),
    Ringpost(1, processes=2),
    Ringpost(20, processes=2),
    Ringpost(1, database="PostgreSQL"),
    Ringpost(20, database="PostgreSQL"),
)
