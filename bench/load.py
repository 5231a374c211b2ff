"""A Ringpost process under load: started with everything on, fed with events over kept connections."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RINGPOST = (sys.executable, "-m", "ringpost.cli")
TOKEN = "rp_key_" + "b2" * 32  # made up
VARIABLES = {
    "QUEUE_NAME": "Sales",
    "QUEUE_NUMBER": "8001",
    "CALLER_NAME": "Zoë Rivera",
    "CALLER_NUMBER": "+15550100",
    "SLA_TIME": 90,
    "BREACHSLANO": 3,
    "WAITSESSIONNO": 7,
}


@dataclass(frozen=True)
class Load:
    """How many events, how many in a request, over how many connections."""

    events: int
    per_request: int
    clients: int


class Running:
    """One process that serves the API, and works too."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.process = process
        self.token = ""

    def call(self, path: str, body: object = None, token: str = TOKEN) -> Any:
        """One request of the administrator's, outside of any measurement."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as answer:
            content = answer.read()
        return json.loads(content) if content[:1] in b"{[" and content else content.decode()

    async def post_all(self, load: Load) -> float:
        """Post all events; seconds until the last one was acknowledged."""
        event = {"type": "QUEUE_SLA", "variables": VARIABLES}
        body = json.dumps(event if load.per_request == 1 else {"events": [event] * load.per_request}).encode()
        head = (
            f"POST /events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        requests = iter(range(load.events // load.per_request))
        begin = time.perf_counter()
        await asyncio.gather(*(self._client(head.encode() + body, requests) for _ in range(load.clients)))
        return time.perf_counter() - begin

    async def _client(self, request: bytes, requests: Any) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for _ in requests:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 202"), head
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            assert length
            await reader.readexactly(int(length[1]))
        writer.close()
        await writer.wait_closed()

    async def until_all_sent(self, count: int) -> float:
        """Seconds until so many deliveries are sent."""
        begin = time.perf_counter()
        while True:
            metrics = await asyncio.to_thread(self.call, "/metrics")
            sent = re.search(r'ringpost_deliveries_ended_total\{state="sent"\} ([0-9.e+]+)', metrics)
            if sent and float(sent[1]) >= count:
                return time.perf_counter() - begin
            await asyncio.sleep(0.02)

    def cpu_s(self) -> float:
        """User and system seconds of the process so far (proc(5), /proc/pid/stat)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self) -> float:
        """Peak resident memory of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert peak
        return int(peak[1]) / 1024


@contextmanager
def running(folder: Path, smtp_port: int, *, workers: int) -> Generator[Running]:
    """A Ringpost process with one tenant whose mail server is at `smtp_port`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RINGPOST_")},
        "RINGPOST_DATA_DIR": str(folder / "data"),
        "RINGPOST_ADMIN_TOKEN": TOKEN,
        "RINGPOST_ALLOWED_MAIL_NETWORKS": "127.0.0.0/8",
        "RINGPOST_EHLO_NAME": "bench.example.com",
        "RINGPOST_LOG_LEVEL": "warning",
    }
    process = subprocess.Popen(
        [*RINGPOST, "serve", "--port", str(port), "--workers", str(workers)], env=environment, cwd=folder
    )
    started = Running(port, process)
    try:
        _set_up(started, smtp_port, environment)
        yield started
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _set_up(started: Running, smtp_port: int, environment: dict[str, str]) -> None:
    for _ in range(400):
        try:
            started.call("/readyz")
            break
        except OSError:
            time.sleep(0.05)
    started.call("/tenants", {"name": "Bench", "domain": "bench.example.com"})
    create = [*RINGPOST, "token", "create", "--tenant", "bench.example.com"]
    started.token = subprocess.run(create, env=environment, check=True, capture_output=True, text=True).stdout.strip()
    settings = {
        "type": "SMTP",
        "server": "127.0.0.1",
        "port": smtp_port,
        "username": "bench@example.com",
        "auth": "DISABLE",
        "enable_tls_ssl": False,
        "recipients": "manager@example.com",
        "notify_queue_sla_breached": True,
    }
    started.call("/tenant/notification", settings, started.token)
