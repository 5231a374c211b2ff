"""A Ringpost process with many tenants, and mail servers that are quick, late or silent, seen from one event loop."""

import asyncio
import json
import os
import re
import resource
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ringpost import wiring
from ringpost.config import Config
from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.tenants import TenantDraft, TenantId
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.create_token import NewKey, create_token

TOKEN = "rp_key_" + "c3" * 32  # made up


class MailServer:
    """Takes mail by SMTP, with PIPELINING. `lasts_s`: from a whole mail to its answer; None never even greets."""

    def __init__(self, lasts_s: float | None = 0.0) -> None:
        self.lasts_s = lasts_s
        self.port = 0
        self.connections = 0
        self.begun: dict[bytes, float] = {}
        """When each `sender recipient` came first."""
        self.held: Counter[bytes] = Counter()
        """Whole mails without an answer yet, by sender."""
        self.taken: Counter[bytes] = Counter()
        self._progress = asyncio.Event()

    async def listen(self) -> None:
        """Begin, on a free port."""
        server = await asyncio.get_running_loop().create_server(lambda: _Client(self), "127.0.0.1", 0, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]

    async def takes(self, total: int) -> None:
        """Wait until it has taken so many mails in all."""
        while self.taken.total() < total:
            self._progress.clear()
            await self._progress.wait()

    async def hears_of(self, who: bytes) -> float:
        """When the mail from and to these came; waits until it has."""
        while who not in self.begun:
            self._progress.clear()
            await self._progress.wait()
        return self.begun[who]

    def answered(self, sender: bytes) -> None:
        """A mail was answered."""
        self.held[sender] -= 1
        self.taken[sender] += 1
        self._progress.set()


class _Client(asyncio.Protocol):
    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._buffer = b""
        self._in_data = self._answering = False
        self._sender = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections += 1
        if self._server.lasts_s is not None:
            self._transport.write(b"220 late ESMTP\r\n")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._server.connections -= 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._read_on()

    def _read_on(self) -> None:
        while not self._answering and self._server.lasts_s is not None:
            mark = b"\r\n.\r\n" if self._in_data else b"\r\n"
            head, found, rest = self._buffer.partition(mark)
            if not found:
                return
            self._buffer = rest
            if self._in_data:
                self._in_data = False
                self._whole_mail(self._server.lasts_s)
            else:
                self._hear(head)

    def _hear(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"MAIL":
            self._sender = line[line.index(b"<") + 1 : line.index(b">")]
        elif verb == b"RCPT":
            who = self._sender + b" " + line[line.index(b"<") + 1 : line.index(b">")]
            self._server.begun.setdefault(who, time.perf_counter())
        self._in_data = verb == b"DATA"
        answers = {b"EHLO": b"250-late\r\n250 PIPELINING\r\n", b"DATA": b"354 go\r\n"}
        self._transport.write(answers.get(verb, b"250 ok\r\n"))

    def _whole_mail(self, lasts_s: float) -> None:
        self._server.held[self._sender] += 1
        self._answering = True
        if lasts_s:
            asyncio.get_running_loop().call_later(lasts_s, self._answer)
        else:
            self._answer()

    def _answer(self) -> None:
        self._server.answered(self._sender)
        self._answering = False
        if not self._transport.is_closing():
            self._transport.write(b"250 taken\r\n")
        self._read_on()


@dataclass
class Crowd:
    """A running service, and the tokens of its tenants by name; a tenant's sender is `<name>@example.com`."""

    port: int
    process: asyncio.subprocess.Process
    tokens: Mapping[str, str] = field(default_factory=dict[str, str])

    async def post(self, name: str, events: list[dict[str, Any]]) -> float:
        """Post events of a tenant in one request; when they were acknowledged."""
        body = json.dumps({"events": events}).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(
            f"POST /events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self.tokens[name]}\r\n"
            f"Connection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        acknowledged = time.perf_counter()
        assert head.startswith(b"HTTP/1.1 202"), head + await reader.read()
        writer.close()
        return acknowledged

    def memory_mb(self) -> float:
        """Resident memory of the process."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0

    def files(self) -> int:
        """Open file descriptors of the process."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


@asynccontextmanager
async def crowd(folder: Path, servers: Mapping[str, int]) -> AsyncGenerator[Crowd]:
    """One process, API and one worker, with a tenant for each name and the port of its mail server."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = {
        "RINGPOST_DATA_DIR": str(folder / "data"),
        "RINGPOST_ADMIN_TOKEN": TOKEN,
        "RINGPOST_ALLOWED_MAIL_NETWORKS": "127.0.0.0/8",
        "RINGPOST_EHLO_NAME": "bench.example.com",
        "RINGPOST_LOG_LEVEL": "error",
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RINGPOST_")} | settings
    os.environ.update(settings)
    tokens = await _set_up(Config(), servers)
    command = [sys.executable, "-m", "ringpost", "serve", "--port", str(port)]
    process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=folder)
    try:
        await _answers(port)
        yield Crowd(port, process, tokens)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


async def _set_up(config: Config, servers: Mapping[str, int]) -> dict[str, str]:
    """Make the tenants, before anything is measured; their tokens."""
    tokens: dict[str, str] = {}
    async with wiring.open_room(config) as room:

        async def join(name: str, port: int) -> None:
            tenant: TenantId = await create_tenant(room, TenantDraft(name, f"{name}.example.com"))
            new = NewKey("bench", SCOPES_OF_ROLE[Role.TENANT_ADMIN])
            _, secret = await create_token(room, tenant, new)
            tokens[name] = secret.reveal()
            principal = Principal(tenant, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "bench", "bench")
            await change_settings(room, principal, _settings(name, port))

        for names in _in_parts(list(servers), 200):
            await asyncio.gather(*(join(name, servers[name]) for name in names))
    return tokens


def _settings(name: str, port: int) -> dict[str, object]:
    return {
        "type": "SMTP",
        "server": "127.0.0.1",
        "port": port,
        "username": f"{name}@example.com",
        "auth": "DISABLE",
        "enable_tls_ssl": False,
        "recipients": "manager@example.com",
        "notify_queue_sla_breached": True,
    }


def _in_parts(names: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]


async def _answers(port: int) -> None:
    for _ in range(600):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
        good = (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        if good:
            return
    raise TimeoutError("the service did not start")
