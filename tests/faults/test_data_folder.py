"""The data folder goes away under a running process: nothing is acknowledged that nobody would find again."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.faults import quick_sweeps
from tests.journeys.running import Service, mailbox, new_tenant
from tests.patience import patience
from tests.postgresql import PostgresServer

LOOKS_S = 2.0
"""Time in which a process looks at its host several times."""

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Service]:
    """A process that is not started yet."""
    made = Service(tmp_path / "data")
    made.program = (str(quick_sweeps.__file__),)
    yield made
    await made.stop()


def emergency(name: str) -> dict[str, Any]:
    return {"type": "EMERGENCY_CALL", "id": name}


def told(running: Service) -> list[str]:
    """What its log says of files and folders."""
    log = running.log.read_text()
    assert "Traceback" not in log, log
    lines = [json.loads(line)["event"] for line in log.splitlines() if line.startswith("{")]
    return [event for event in lines if event.startswith(("database_file", "database_unav", "data_folder", "host_"))]


async def answers(client: httpx.AsyncClient, path: str, status: int) -> None:
    async with patience(30):
        while (await client.get(path)).status_code != status:
            await asyncio.sleep(0.05)


async def test_a_data_folder_that_goes_away_takes_nothing_with_it_that_was_acknowledged(running: Service) -> None:
    await running.start()
    folder, away = running.data_dir, running.data_dir.with_name("away")
    async with mailbox() as box, new_tenant(running, box.port) as tenant:
        box.hold_back.clear()
        before = await tenant.post("/events", json=emergency("before"))
        await asyncio.wait_for(box.asked.wait(), 30)

        folder.rename(away)
        meanwhile = await tenant.post("/events", json=emergency("meanwhile"))
        ready, alive = await tenant.get("/readyz"), await tenant.get("/healthz")
        folder.mkdir()
        in_a_new_folder = await tenant.post("/events", json=emergency("meanwhile"))
        await answers(tenant, "/deliveries", 503)
        await asyncio.sleep(LOOKS_S)
        box.hold_back.set()
        await box.holds(1)
        made = list(folder.iterdir())
        folder.rmdir()
        away.rename(folder)
        await answers(tenant, "/readyz", 200)
        after = await tenant.post("/events", json=emergency("meanwhile"))
        await box.holds(2)
        async with patience(30):
            while {item["state"] for item in (await tenant.get("/deliveries")).json()["items"]} != {"sent"}:
                await asyncio.sleep(0.1)

    assert (before.status_code, after.status_code) == (202, 202)
    assert (meanwhile.status_code, in_a_new_folder.status_code, ready.status_code) == (503, 503, 503)
    assert meanwhile.json()["errors"][0]["code"] == "STORAGE_UNAVAILABLE"
    assert alive.status_code == 200
    assert made == []
    assert len(box.raw) == 2, "what was in hand is recorded, and not sent twice"
    assert await running.stop() == 0
    assert told(running) == ["database_file_gone", "database_file_back"]


async def test_a_data_folder_that_was_removed_is_told_of_once_and_never_made_anew(running: Service) -> None:
    await running.start()
    async with running.client as client:
        shutil.rmtree(running.data_dir)
        await answers(client, "/readyz", 503)
        await asyncio.sleep(LOOKS_S)

    assert await running.stop() == 0
    assert told(running) == ["database_file_gone"]
    assert not running.data_dir.exists()


async def test_with_a_postgresql_it_is_told_of_and_the_mail_goes(running: Service, postgres: PostgresServer) -> None:
    running.environment["RINGPOST_DATABASE_URL"] = postgres.url(postgres.new_database())
    await running.start()
    folder, away = running.data_dir, running.data_dir.with_name("away")
    async with mailbox() as box, new_tenant(running, box.port) as tenant:
        await asyncio.sleep(LOOKS_S)
        folder.rename(away)
        await asyncio.sleep(LOOKS_S)
        answer = await tenant.post("/events", json=emergency("meanwhile"))
        await box.holds(1)
        away.rename(folder)
        await asyncio.sleep(LOOKS_S)

    assert answer.status_code == 202
    assert await running.stop() == 0
    assert told(running) == ["data_folder_gone", "data_folder_back"]
