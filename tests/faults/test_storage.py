"""The disk is full, the database is locked, its server goes away, a sync fails: nothing is acknowledged meanwhile."""

import asyncio
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from chaos.disks import Disk, small_disk
from chaos.locks import writing_is_held_up
from chaos.mail_servers import mail_servers
from tests.faults import failing_sync
from tests.faults.trial import Trial
from tests.left_out import left_out
from tests.patience import patience
from tests.postgresql import PostgresServer, postgres_server

MEGABYTES = 160
"""Room for a fresh PostgreSQL."""


async def until_taken(trial: Trial) -> None:
    """Post a new event again and again until it is acknowledged."""
    event = trial.events(1)
    async with patience(100):
        while await trial.post(event) != 202:
            await asyncio.sleep(0.2)


async def answered(trial: Trial, events: list[dict[str, Any]]) -> bool:
    """Post them; False when the process ends without an answer."""
    try:
        assert await trial.post(events) == 202
    except httpx.TransportError:
        return False
    return True


@pytest.fixture
async def on_a_small_disk(tmp_path: Path, kind_of_database: str) -> AsyncIterator[tuple[Trial, Disk]]:
    """A trial whose database is on a disk that can be filled."""
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk(MEGABYTES))
        except PermissionError:
            left_out("a full disk, because only root may mount a small one")
            return
        url = f"sqlite:///{disk.folder / 'ringpost.db'}"
        if kind_of_database == "postgresql":
            server = stack.enter_context(postgres_server(disk.folder))
            url = server.url(server.new_database())
        async with mail_servers(tmp_path) as servers:
            trial = Trial(tmp_path, url, servers)
            yield trial, disk
            await trial.end()


@pytest.mark.timeout(400)
async def test_on_a_full_disk_nothing_is_acknowledged_and_it_goes_on_by_itself(
    on_a_small_disk: tuple[Trial, Disk], kind_of_database: str
) -> None:
    trial, disk = on_a_small_disk
    await trial.begin()
    pid = trial.process.pid
    await trial.accepted(5)
    disk.fill()
    recording = {"filename": "a.wav", "content_type": "audio/wav", "content": "A" * 4_000_000}
    refused = [trial.events(1, attachments=[recording])[0] for _ in range(3)]
    assert {await trial.post([event]) for event in refused} == {503}
    async with httpx.AsyncClient(base_url=trial.process.url, timeout=60) as watcher:
        assert 'ringpost_events_refused_total{error="StorageUnavailable"} 3.0' in (await watcher.get("/metrics")).text
        if kind_of_database == "sqlite":  # PostgreSQL keeps room for a small write, and takes one
            assert (await watcher.get("/readyz")).status_code == 503
        disk.free()
        assert (await watcher.get("/readyz")).status_code == 200
    assert trial.process.log.read_text().count("database_unavailable") == 1, "what goes on is not told each time"
    await until_taken(trial)
    assert {await trial.post([event]) for event in refused} == {202}
    assert trial.process.runs
    assert trial.process.pid == pid, "nobody had to start it again"
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert verdict.sent == verdict.acknowledged == 9


def limit_files(trial: Trial, database_url: str, more: int) -> None:
    """Let no file become larger than the log and so many bytes: beyond, the kernel says EFBIG, and SQLite I/O error."""
    limit = Path(f"{database_url.removeprefix('sqlite:///')}-wal").stat().st_size + more
    resource.prlimit(trial.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind_of_database", ["sqlite"])
async def test_at_a_limit_of_file_sizes_nothing_is_acknowledged_and_it_goes_on_by_itself(
    trial: Trial, database_url: str
) -> None:
    await trial.begin()
    pid = trial.process.pid
    await trial.accepted(5)
    limit_files(trial, database_url, 2_000)  # less than a page
    recording = {"filename": "a.wav", "content_type": "audio/wav", "content": "A" * 4_000_000}
    refused = [trial.events(1, attachments=[recording])[0] for _ in range(3)]
    assert {await trial.post([event]) for event in refused} == {503}
    async with httpx.AsyncClient(base_url=trial.process.url, timeout=60) as watcher:
        assert (await watcher.get("/readyz")).status_code == 503
    assert "no_room_to_write" in trial.process.log.read_text()
    limit_files(trial, database_url, 2**30)
    assert {await trial.post([event]) for event in refused} == {202}
    assert trial.process.pid == pid, "nobody had to start it again"
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert verdict.sent == verdict.acknowledged == 8


@pytest.mark.timeout(400)
async def test_what_comes_while_the_database_is_locked_waits_for_it(trial: Trial, database_url: str) -> None:
    await trial.begin()
    with writing_is_held_up(database_url):
        posting = [asyncio.create_task(trial.post(trial.events(1))) for _ in range(20)]
        await asyncio.sleep(2)
        assert not any(one.done() for one in posting), "nothing is acknowledged that is not stored"
    assert set(await asyncio.gather(*posting)) == {202}
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert (verdict.sent, verdict.twice) == (20, 0)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind_of_database", ["postgresql"])  # of a file: tests/storage/test_sqlite.py, in less time
async def test_a_database_that_stays_locked_is_said_to_be_unavailable(trial: Trial, database_url: str) -> None:
    await trial.begin()
    event = trial.events(1)
    with writing_is_held_up(database_url):
        async with httpx.AsyncClient(timeout=200, headers={"Authorization": f"Bearer {trial.tokens[0]}"}) as client:
            answer = await client.post(f"{trial.process.url}/events", json=event[0])
    assert answer.status_code == 503
    assert await trial.post(event) == 202
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert (verdict.sent, verdict.twice) == (1, 0)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind_of_database", ["postgresql"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_postgresql_that_is_stopped_and_started_is_found_again(
    trial: Trial, postgres: PostgresServer, how: signal.Signals
) -> None:
    await trial.begin()
    pid = trial.process.pid
    await trial.accepted(20)
    await asyncio.to_thread(postgres.stop, how)
    refused = trial.events(3)
    try:
        assert await trial.post(refused) == 503
    finally:
        await asyncio.to_thread(postgres.start)
    await until_taken(trial)
    assert await trial.post(refused) == 202
    assert trial.process.runs
    assert trial.process.pid == pid, "nobody had to start it again"
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert verdict.sent == verdict.acknowledged == 24


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind_of_database", ["sqlite"])
@pytest.mark.parametrize("room", [True, False], ids=["with room", "without room"])
async def test_a_sync_that_fails_ends_the_process_and_nothing_is_acknowledged(
    trial: Trial, database_url: str, room: bool
) -> None:
    await trial.begin()
    await trial.process.kill()
    normal = trial.process.launcher
    trial.process.launcher = (sys.executable, str(failing_sync.__file__))
    await trial.process.start()
    await trial.accepted(5)
    if not room:
        limit_files(trial, database_url, 30_000)  # for an event, but not for what is written to find out
    trial.process.send(signal.SIGUSR2)
    unanswered = trial.events(1)
    async with patience(60):
        while await answered(trial, unanswered):  # until the signal has come through, all is well
            unanswered = trial.events(1)
    assert await trial.process.ended() > 0
    assert "sync_failed" in trial.process.log.read_text()
    trial.process.launcher = normal
    await trial.process.start()
    assert await trial.post(unanswered) == 202
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert verdict.sent == verdict.acknowledged
