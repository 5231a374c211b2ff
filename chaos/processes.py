"""Ringpost processes that share one database and can be killed, stopped and started again."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

ADMIN_TOKEN = "rp_key_" + "c3" * 32  # made up
START_S = 120
"""Generous: a machine under chaos is slow."""
END_S = 60
MAKE_TOKENS = """
import sys
from ringpost.cli import app
for domain in sys.argv[1:]:
    app(["token", "create", "--tenant", domain], standalone_mode=False)
"""
"""A program that prints a new token for each domain."""


class Ringpost:
    """One `ringpost serve`."""

    def __init__(self, folder: Path, database_url: str | None, *, workers: int = 1, **environment: str) -> None:
        """`folder` is shared by all processes on one database; `workers` 0: an API alone."""
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.log = folder / f"ringpost-{self.port}.log"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RINGPOST_")},
            "RINGPOST_DATA_DIR": str(folder / "data"),
            "RINGPOST_ADMIN_TOKEN": ADMIN_TOKEN,
            "RINGPOST_ALLOWED_MAIL_NETWORKS": "127.0.0.0/8",
            "RINGPOST_EHLO_NAME": "ringpost.example.com",
            "RINGPOST_LOG_LEVEL": "warning",
            **({"RINGPOST_DATABASE_URL": database_url} if database_url else {}),
            **environment,
        }
        self.launcher: tuple[str, ...] = (sys.executable, "-m", "ringpost")
        self.serves = False
        """It has answered since its last start."""
        self._workers = workers
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether there is a process, stopped or not."""
        return self._process is not None and self._process.returncode is None

    async def launch(self) -> None:
        """Start it, without waiting until it answers."""
        self.serves = False
        command = (*self.launcher, "serve", "--port", str(self.port), "--workers", str(self._workers))
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, env=self.environment, cwd=self.folder, stdout=log, stderr=log
            )

    async def start(self) -> None:
        """Start it and wait until it answers that it can store events."""
        await self.launch()
        await self.answers()

    async def answers(self) -> None:
        """Wait until it can store events."""
        async with asyncio.timeout(START_S), httpx.AsyncClient(base_url=self.url) as client:
            while True:
                if not self.runs:
                    raise ChildProcessError(self.log.read_text()[-2000:])
                try:
                    if (await client.get("/readyz")).status_code == 200:
                        self.serves = True
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, when it runs."""
        if self.runs:
            assert self._process is not None
            self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; the exit code."""
        assert self._process is not None
        async with asyncio.timeout(END_S):
            return await self._process.wait()

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self.send(signal.SIGKILL)
            await self.ended()

    def client(self, token: str = ADMIN_TOKEN) -> httpx.AsyncClient:
        """An HTTP client with a token."""
        return httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)

    async def python(self, program: str, *arguments: str) -> str:
        """Run a program in the environment of this process; what it prints."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, *arguments,
            env=self.environment, cwd=self.folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, complaint = await process.communicate()
        if process.returncode != 0:
            raise ChildProcessError(complaint.decode())
        return out.decode()


@asynccontextmanager
async def ringpost(
    folder: Path, database_url: str | None = None, *, workers: int = 1, **environment: str
) -> AsyncGenerator[Ringpost]:
    """A running process, killed in the end."""
    process = Ringpost(folder, database_url, workers=workers, **environment)
    try:
        await process.start()
        yield process
    finally:
        await process.kill()


async def new_tenants(process: Ringpost, mail_ports: Sequence[int]) -> list[str]:
    """Tenants that send through mail servers on loopback, one each; their tokens."""
    tokens = await _tenants(process, [f"chaos{number}.example.com" for number, _ in enumerate(mail_ports, 1)])
    for token, port in zip(tokens, mail_ports, strict=True):
        async with process.client(token) as tenant:
            _expect(await tenant.post("/tenant/notification", json=settings(port)), 200)
    return tokens


async def lend(process: Ringpost, mail_port: int) -> list[str]:
    """Make a mail server on loopback the system's, and lend it; the token of a new tenant that has no other."""
    async with process.client() as admin:
        lent = {**settings(mail_port), "enable_tenant_access": True}
        _expect(await admin.post("/admin/notification", json=lent), 200)
    return await _tenants(process, ["borrower.example.com"])


async def _tenants(process: Ringpost, domains: Sequence[str]) -> list[str]:
    async with process.client() as admin:
        for domain in domains:
            _expect(await admin.post("/tenants", json={"name": domain, "domain": domain}), 201)
    return (await process.python(MAKE_TOKENS, *domains)).split()


def complaints(folder: Path) -> list[str]:
    """What the processes that shared this folder logged with a traceback: nobody had reckoned with it."""
    logged = [line for log in sorted(folder.glob("ringpost-*.log")) for line in log.read_text().splitlines()]
    return [f"in a log: {line}" for line in logged if '"exception"' in line]


def settings(mail_port: int) -> Mapping[str, Any]:
    """Settings that send through a mail server on loopback; only an event's own recipients are told."""
    return {
        "type": "SMTP",
        "server": "127.0.0.1",
        "port": mail_port,
        "username": "alerts@example.com",
        "auth": "DISABLE",
        "enable_tls_ssl": False,
        "enable_starttls_auto": False,
    }


def _expect(answer: httpx.Response, status: int) -> None:
    if answer.status_code != status:
        raise RuntimeError(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
