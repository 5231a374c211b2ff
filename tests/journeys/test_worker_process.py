"""Workers in processes of their own: their metrics, and what they tell the service manager."""

import asyncio
import contextlib
import re
import secrets
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
from tests.journeys.running import Service, mailbox, new_tenant, service
from tests.patience import patience


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.asynccontextmanager
async def worker_process(running: Service, **environment: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """`ringpost worker` on the data folder of a service."""
    log = running.data_dir.with_suffix(".worker.log")
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ringpost", "worker", env={**running.environment, **environment},
            cwd=running.data_dir.parent, stdout=file, stderr=file,
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def value(metrics: str, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", metrics, re.MULTILINE)
    assert found, f"{series} is not in\n{metrics}"
    return float(found[1])


async def told(manager: socket.socket) -> bytes:
    async with patience(60):
        return await asyncio.get_running_loop().sock_recv(manager, 100)


async def test_a_worker_process_shows_its_own_metrics_and_tells_when_it_is_ready_and_when_it_stops(
    tmp_path: Path,
) -> None:
    port = free_port()
    address = f"ringpost-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as manager:
        manager.bind(f"\0{address}")
        notified = {"RINGPOST_METRICS_PORT": str(port), "NOTIFY_SOCKET": f"@{address}"}
        async with (
            mailbox() as box,
            service(tmp_path / "data", RINGPOST_WORKERS="0") as running,
            worker_process(running, **notified) as process,
            new_tenant(running, box.port) as tenant,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as watcher,
        ):
            assert await told(manager) == b"READY=1"
            event = {"type": "QUEUE_SLA", "variables": {"QUEUE_NAME": "Sales"}}
            assert (await tenant.post("/events", json=event)).status_code == 202
            await box.holds(1)

            async with patience(60):
                while value((await watcher.get("/metrics")).text, 'ringpost_deliveries_ended_total{state="sent"}') < 1:
                    await asyncio.sleep(0.1)
            shown = (await watcher.get("/metrics")).text

            assert value(shown, 'ringpost_attempts_total{party="",verdict="sent"}') == 1
            assert value(shown, 'ringpost_time_to_sent_seconds_count{urgency="normal"}') == 1
            assert value(shown, "ringpost_workers") == 1
            assert value(shown, "ringpost_worker_slots") > 0
            assert value(shown, "ringpost_lanes_open") == 1
            assert value(shown, "ringpost_database_up") == 1
            assert (await watcher.get("/healthz")).status_code == 200
            assert (await watcher.get("/events")).status_code == 404
            async with running.client as api:
                of_the_api = (await api.get("/metrics")).text
            assert value(of_the_api, 'ringpost_deliveries_ended_total{state="sent"}') == 0
            assert value(of_the_api, "ringpost_workers") == 0

            process.send_signal(signal.SIGTERM)
            assert await told(manager) == b"STOPPING=1"
            async with patience(60):
                assert await process.wait() == 0
