"""Tools of the journeys: a real Ringpost process that can be killed, and a real mail server that remembers."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
from aiosmtpd.smtp import SMTP, Envelope, Session
from tests.closing import end
from tests.patience import patience

ADMIN_TOKEN = "rp_key_" + "a1" * 32  # made up
START_S = 120
"""Until a process must answer: several start at once on a machine that has other things to do, too."""


_MESSAGE_ID = re.compile(rb"^Message-ID: (\S+)\r$", re.MULTILINE)


class Mailbox:
    """A mail server on loopback (aiosmtpd) that takes everything and remembers it."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.message_ids: Counter[str] = Counter()
        """How often each Message-ID came."""
        self.recipients: list[str] = []
        self.port = 0
        self.arrived = asyncio.Event()
        self.asked = asyncio.Event()
        self.hold_back = asyncio.Event()
        """Cleared: a mail is read but not answered."""
        self.hold_back.set()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """aiosmtpd's hook for a whole mail."""
        content = envelope.content
        assert isinstance(content, bytes)
        self.asked.set()
        await self.hold_back.wait()
        self.raw.append(content)
        self.message_ids[_MESSAGE_ID.findall(content)[0].decode()] += 1
        self.recipients.extend(envelope.rcpt_tos)
        self.arrived.set()
        return "250 2.0.0 Taken"

    @property
    def received(self) -> list[EmailMessage]:
        """What came, parsed."""
        return [message_from_bytes(content, policy=policy.default) for content in self.raw]

    async def holds(self, count: int, within_s: float = 20) -> None:
        """Wait until so many different mails are here."""
        async with patience(within_s):
            while len(self.message_ids) < count:
                self.arrived.clear()
                await self.arrived.wait()


@asynccontextmanager
async def mailbox() -> AsyncGenerator[Mailbox]:
    """A mail server for one test."""
    box = Mailbox()
    loop = asyncio.get_running_loop()
    clients: list[SMTP] = []

    def welcome() -> SMTP:
        clients.append(SMTP(box, hostname="mx.example.com", loop=loop, enable_SMTPUTF8=True))
        return clients[-1]

    server = await loop.create_server(welcome, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        await end(server, [client.transport for client in clients])


class Service:
    """One `ringpost serve` process over a data folder; it can be killed and started again on the same port."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.data_dir = data_dir
        self.log = data_dir.with_suffix(".log")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RINGPOST_")},
            "RINGPOST_DATA_DIR": str(data_dir),
            "RINGPOST_ADMIN_TOKEN": ADMIN_TOKEN,
            "RINGPOST_ALLOWED_MAIL_NETWORKS": "127.0.0.0/8",
            "RINGPOST_EHLO_NAME": "ringpost.example.com",
            **environment,
        }
        self.program: tuple[str, ...] = ("-m", "ringpost")
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it answers."""
        await self.launch("serve", "--port", str(self.port))
        assert self._process is not None
        async with patience(START_S), httpx.AsyncClient(base_url=self.url) as client:
            while True:
                assert self._process.returncode is None, self.log.read_text()
                try:
                    if (await client.get("/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.05)

    async def launch(self, *arguments: str) -> None:
        """Start `ringpost ...`, with its log."""
        command = [sys.executable, *self.program, *arguments]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, env=self.environment, cwd=self.data_dir.parent, stdout=log, stderr=log
            )

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, and do not wait for anything."""
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        assert self._process is not None
        return self._process.pid

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end; the exit code."""
        if self._process is None:  # it never started
            return 0
        if self._process.returncode is None:
            self._process.send_signal(how)
        return await self.ended()

    async def ended(self) -> int:
        """Wait until it has ended by itself; the exit code."""
        assert self._process is not None
        async with patience(START_S):
            return await self._process.wait()

    @property
    def client(self) -> httpx.AsyncClient:
        """An HTTP client of the system administrator."""
        return self.client_of(ADMIN_TOKEN)

    def client_of(self, token: str) -> httpx.AsyncClient:
        """An HTTP client with a token."""
        return httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    async def command(self, *arguments: str) -> str:
        """Run `ringpost ...` on the same data folder; what it prints."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ringpost", *arguments,
            env=self.environment, cwd=self.data_dir.parent,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, complaint = await process.communicate()
        assert process.returncode == 0, complaint.decode()
        return out.decode()


@asynccontextmanager
async def service(data_dir: Path, **environment: str) -> AsyncGenerator[Service]:
    """A running Ringpost for one test."""
    running = Service(data_dir, **environment)
    await running.start()
    try:
        yield running
    finally:
        await running.stop(signal.SIGKILL)


def settings_for(port: int, **fields: Any) -> dict[str, Any]:
    """Notification settings that send through a mail server on loopback, with everything switched on."""
    return {
        "type": "SMTP",
        "server": "127.0.0.1",
        "port": port,
        "username": "alerts@example.com",
        "auth": "DISABLE",
        "enable_tls_ssl": False,
        "enable_starttls_auto": False,
        "recipients": "manager@example.com",
        "notify_user_registration": True,
        "notify_queue_sla_breached": True,
        "notify_queue_callback": True,
        "notify_queue_callback_failed": True,
        "notify_queue_call_lost": True,
        **fields,
    }


@asynccontextmanager
async def new_tenant(
    running: Service, port: int, domain: str = "pbx.example.com", **fields: Any
) -> AsyncGenerator[httpx.AsyncClient]:
    """A tenant with a mail server on loopback; an open client with its token."""
    async with running.client as admin:
        answer = await admin.post("/tenants", json={"name": "Northwind Traders", "domain": domain})
        assert answer.status_code == 201, answer.text
    token = (await running.command("token", "create", "--tenant", domain)).strip()
    async with running.client_of(token) as tenant:
        answer = await tenant.post("/tenant/notification", json=settings_for(port, **fields))
        assert answer.status_code == 200, answer.text
        yield tenant
